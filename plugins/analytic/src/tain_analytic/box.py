"""A box: a lower and an upper bound on each coordinate. And the orthant, where every lower bound is 0."""

import abc
import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal, uniform
from tain_analytic.numerics import like, norm, require_margin

__all__ = ["Box", "BoxSet", "Orthant"]


class BoxSet(Projectable, Interior, Retractable, abc.ABC):
    """{x : lower <= x <= upper}, coordinate by coordinate. The base of both.

    Attributes:
        lower: (n,) in float64, -inf for none.
        upper: (n,) in float64, inf for none.
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    lower: Tensor
    upper: Tensor
    retraction = "Coordinates beyond a bound, or nearer to it than the margin, are moved to the margin from it."

    def _hold(self, lower: tuple[float, ...], upper: tuple[float, ...]) -> None:
        self.lower = torch.tensor(lower, dtype=torch.float64)
        self.upper = torch.tensor(upper, dtype=torch.float64)
        self.event_shape = (len(lower),)
        self.scale = max((abs(bound) for bound in (*lower, *upper) if math.isfinite(bound)), default=1.0) or 1.0

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the box: (B, n) to (B,)."""
        return norm(x - self.project(x))[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: each coordinate moved to the bound that it breaks."""
        return x.clamp(like(self.lower, x), like(self.upper, x))

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Independent coordinates: uniform in the middle 98% between two bounds; 0.01 plus an exponential number away
        from a single bound, in units of its size or 1; standard normal without bounds.
        """
        rng = generator(rng)
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        free = standard_normal((n, *self.event_shape), rng, example)
        share = uniform((n, *self.event_shape), rng, example)
        away = 0.01 - torch.log1p(-share)
        a, b = like(self.lower, example), like(self.upper, example)
        bounded = torch.where(torch.isfinite(b), b - away * b.abs().clamp(min=1), free)
        bounded = torch.where(torch.isfinite(a), a + away * a.abs().clamp(min=1), bounded)
        return torch.where(torch.isfinite(b - a), a + (b - a) * (0.01 + 0.98 * share), bounded)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Move each coordinate into [lower + margin, upper - margin]: (B, n) to (B, n).

        Raises:
            ConfigurationError: a margin that is negative, or half the width of the box or more.

        Example:
            >>> Box(lower=(0.0,), upper=(1.0,)).retract(torch.tensor([[-0.5], [0.5]]), margin=0.1)
            tensor([[0.1000],
                    [0.5000]])
        """
        require_margin(f"{type(self).__name__}.retract", margin, float((self.upper - self.lower).min()) / 2)
        return x.clamp(like(self.lower + margin, x), like(self.upper - margin, x))

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which coordinates are nearer than `margin` to a bound: booleans, shape (B, n)."""
        return (x - like(self.lower, x) < margin) | (like(self.upper, x) - x < margin)


@final
class Box(BoxSet):
    """Bounds on each of n coordinates: {x : lower <= x <= upper}. Samples have shape (B, n).

    Args:
        lower: n numbers, or -inf where a coordinate has no lower bound.
        upper: n numbers, or inf where a coordinate has no upper bound.

    Raises:
        ConfigurationError: no or differently many bounds, a lower one not below its upper one, an infinite one of
            the wrong sign, or NaN.

    Example:
        >>> import math, torch
        >>> from tain_analytic import Box
        >>> box = Box(lower=(0.0, 18.0), upper=(math.inf, 100.0))
        >>> box.distance(torch.tensor([[2000.0, 30.0], [-3.0, 104.0]]))
        tensor([0., 5.])
    """

    def __init__(
        self,
        lower: Annotated[tuple[float, ...], Field("lower bound of each coordinate, -inf for none")],
        upper: Annotated[tuple[float, ...], Field("upper bound of each coordinate, inf for none")],
    ):
        super().__init__()
        if not lower or len(lower) != len(upper):
            raise ConfigurationError(
                f"Box: 'lower' has {len(lower)} entries and 'upper' has {len(upper)}, but both must have the same "
                "number, at least 1."
            )
        for index, (a, b) in enumerate(zip(lower, upper, strict=True)):
            if not a < b or a == math.inf or b == -math.inf:
                raise ConfigurationError(f"Box: 'lower'[{index}] is {a}, but must be below 'upper'[{index}], {b}.")
        self._hold(lower, upper)


@final
class Orthant(BoxSet):
    """Numbers that are not negative: {x : every x_i >= 0}. Samples have shape (B, size).

    Args:
        size: how many, at least 1.

    Raises:
        ConfigurationError: a size below 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Orthant
        >>> Orthant(2).project(torch.tensor([[1.0, -2.0]]))
        tensor([[1., 0.]])
    """

    def __init__(self, size: Annotated[int, Field("how many numbers", at_least=1)]):
        super().__init__()
        self._hold((0.0,) * size, (math.inf,) * size)
