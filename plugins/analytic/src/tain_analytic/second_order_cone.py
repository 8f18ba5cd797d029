"""The second-order cone: vectors whose last number is at least the length of all others."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal, uniform
from tain_analytic.numerics import norm, require_margin

__all__ = ["SecondOrderCone"]


@final
class SecondOrderCone(Projectable, Interior, Retractable):
    """The second-order or Lorentz cone: {(x, t) : |x| <= t}. Samples have shape (B, size), t the last number.

    Args:
        size: how many numbers x and t have together, at least 2.

    Raises:
        ConfigurationError: a size below 2.

    Example:
        >>> import torch
        >>> from tain_analytic import SecondOrderCone
        >>> SecondOrderCone(3).project(torch.tensor([[3.0, 4.0, 6.0], [3.0, 4.0, 0.0], [3.0, 4.0, -6.0]]))
        tensor([[3.0000, 4.0000, 6.0000],
                [1.5000, 2.0000, 2.5000],
                [0.0000, 0.0000, 0.0000]])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Rows outside, or nearer to the boundary than the margin, are moved to the nearest that are not."

    def __init__(self, size: Annotated[int, Field("how many numbers x and t have together", at_least=2)]):
        super().__init__()
        self.event_shape = (size,)

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the cone, less what rounding of x accounts for: (B,).

        A length is known to a rounding error only, so 4 rounding errors of the row's length count as no distance.
        """
        length, t = norm(x[:, :-1]), x[:, -1:]
        away = torch.where(length <= -t, norm(x), (length - t).relu() / math.sqrt(2))
        return (away - 4 * torch.finfo(x.dtype).eps * norm(x)).relu()[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: (B, size) to (B, size)."""
        return self.retract(x)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """x standard normal, and t larger than |x| by 0.02 plus an exponential number."""
        rng, example = generator(rng), torch.empty((), dtype=dtype or torch.get_default_dtype())
        x = standard_normal((n, self.event_shape[0] - 1), rng, example)
        return torch.cat([x, norm(x) + 0.02 - torch.log1p(-uniform((n, 1), rng, example))], 1)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """The nearest point at least `margin` from the boundary, which is one of the cone shifted along t: (B, size).

        Raises:
            ConfigurationError: a margin that is negative or not finite.
        """
        require_margin("SecondOrderCone.retract", margin, math.inf)
        shift = math.sqrt(2) * margin
        length, t = norm(x[:, :-1]), x[:, -1:] - shift
        half = ((t + length) / 2).relu()  # of the larger eigenvalue, if the smaller is below 0
        positive = torch.where(length > 0, length, 1)
        moved = torch.cat([x[:, :-1] / positive * half, half + shift], 1)
        return torch.where(length <= t, x, moved)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which rows are nearer than `margin` to the boundary, said for each of their entries: (B, size) booleans."""
        return (x[:, -1:] - norm(x[:, :-1]) < math.sqrt(2) * margin).expand_as(x)
