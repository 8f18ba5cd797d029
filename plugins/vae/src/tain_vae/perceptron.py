"""The network of vectors."""

from typing import final

from torch import Tensor, nn

__all__ = ["ResidualPerceptron"]


@final
class ResidualPerceptron(nn.Module):
    """A residual multilayer perceptron, (B, inputs) to (B, outputs): a linear map plus corrections, one a block.

    Each block looks at its input in the units of the row (layer norm), so that a row never depends on others.

    Source: Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385

    Args:
        inputs, outputs: numbers of entries of a row.
        width: number of hidden units.
        blocks: number of residual blocks.

    Example:
        >>> import torch
        >>> ResidualPerceptron(5, 3, width=64, blocks=2)(torch.zeros(4, 5)).shape
        torch.Size([4, 3])
    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int):
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.project = nn.Linear(width, outputs)

    @staticmethod
    def activations(width: int) -> int:
        """About how many numbers are held at a time for one row."""
        return 5 * width

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        hidden: Tensor = self.embed(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        outputs: Tensor = self.project(hidden)
        return outputs
