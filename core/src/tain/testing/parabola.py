"""A curved rule of two equations, and a map that misses it: there to be refined."""

from typing import final

import torch
from torch import Tensor

from tain.constraints import Constraint, Interior, Residual
from tain.mirror_maps import MirrorMap
from tain.randomness import generator

__all__ = ["Parabola", "Unchanged"]


@final
class Parabola(Residual, Interior):
    """Points (a, a^2, a^3) of a curve in space.

    Example:
        >>> Parabola().distance(torch.tensor([[2.0, 4.0, 8.0], [2.0, 3.0, 8.0]])).tolist()
        [0.0, 3.0]
    """

    event_ndim = 1
    event_shape = (3,)
    scale = 8.0

    def residual(self, x: Tensor) -> Tensor:
        """(b - a^2, c - a b) of points (a, b, c): (B, 3) to (B, 2)."""
        a, b, c = x.unbind(1)
        return torch.stack([b - a.square(), c - a * b], 1)

    def distance(self, x: Tensor) -> Tensor:
        """The sum of the sizes of both: (B, 3) to (B,)."""
        return self.residual(x).abs().sum(1)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points with a in [-1, 1)."""
        a = 2 * torch.rand(n, generator=generator(rng), dtype=dtype) - 1
        return torch.stack([a, a * a, a * (a * a)], 1)


@final
class Unchanged(MirrorMap):
    """The identity, as a map of any rule: what is no point of the set comes back as it is.

    Args:
        constraint: the rule.
    """

    def __init__(self, constraint: Constraint):
        super().__init__()
        self.constraint = constraint

    def forward(self, x: Tensor) -> Tensor:
        """x, if it is in the set."""
        self.constraint.require(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """y."""
        return y
