"""A network as a correction of a multiple of its input."""

from typing import final

import torch
from torch import Tensor, nn

__all__ = ["LARGEST", "Residual", "shrink"]

LARGEST = 100.0  # in standardised units: images are nowhere near, and no layer overflows


@final
class Residual(nn.Module):
    """y to y / slope + network(y). With `slope` None, network(y) alone.

    What a network makes of very large numbers means nothing, so it is given those within 100.

    Args:
        network: rows to rows of the same shape.
        slope: what is divided by, not 0.

    Example:
        >>> Residual(nn.Linear(1, 1, bias=False).requires_grad_(False), slope=0.5)(torch.zeros(2, 1))
        tensor([[0.],
                [0.]])
    """

    def __init__(self, network: nn.Module, slope: float | None):
        super().__init__()
        self.network, self.slope = network, slope

    def forward(self, y: Tensor) -> Tensor:
        """Shape of y."""
        found: Tensor = self.network(y.clamp(-LARGEST, LARGEST))
        return found if self.slope is None else y / self.slope + found


@torch.no_grad()
def shrink(last: nn.Conv2d | nn.Linear) -> None:
    """Make the last weights a hundredth: a correction starts near 0. At 0 itself, no other weight would move."""
    last.weight *= 0.01
    if last.bias is not None:
        last.bias.zero_()
