"""The network of vectors."""

from typing import final

from torch import Tensor, nn
from torch.nn.functional import silu

from tain_namm.residual import shrink

__all__ = ["Perceptron"]


@final
class Perceptron(nn.Module):
    """A residual multilayer perceptron, (B, inputs) to (B, size).

    It has no normalisation: how large its input is, is what it must tell.

    Args:
        size: number of entries of what it gives.
        width: number of hidden units.
        blocks: number of residual blocks.
        small: let it give next to nothing until it is trained, as residual forms want it.
        inputs: number of entries of what it is given; by default as many.

    Example:
        >>> import torch
        >>> Perceptron(3, width=16, blocks=2)(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(self, size: int, width: int, blocks: int, small: bool = True, inputs: int | None = None):
        super().__init__()
        self.embed = nn.Linear(size if inputs is None else inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(blocks)
        )
        self.project = nn.Linear(width, size)
        if small:
            shrink(self.project)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, size)."""
        hidden = self.embed(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        outputs: Tensor = self.project(silu(hidden))
        return outputs
