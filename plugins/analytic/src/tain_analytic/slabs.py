"""Bounds along some orthonormal directions, and a half space, which is one bound along one direction."""

import abc
import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal
from tain_analytic.box import Box
from tain_analytic.checks import Matrix, Vector, finite_matrix, finite_vector
from tain_analytic.numerics import norm, require_margin, settled, times

__all__ = ["HalfSpace", "SlabSet", "Slabs"]


class SlabSet(Projectable, Interior, Retractable, abc.ABC):
    """{x : lower <= D x <= upper}, with orthonormal rows D: a box along them, everything across. The base of both.

    Attributes:
        directions: D, (k, n) in float64.
        bounds: the box of the k numbers t = D x.
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    directions: Tensor
    bounds: Box
    retraction = "Rows beyond a bound, or nearer to it than the margin, are moved straight to the margin from it."

    def _hold(self, directions: Tensor, bounds: Box) -> None:
        self.directions, self.bounds = directions, bounds
        self.event_shape = (directions.shape[1],)
        self.scale = bounds.scale

    def along(self, x: Tensor) -> Tensor:
        """t = D x: (B, n) to (B, k)."""
        return times(x, self.directions)

    def lifted(self, t: Tensor) -> Tensor:
        """D' t: (B, k) to (B, n)."""
        return times(t, self.directions.mT)

    def across(self, x: Tensor) -> Tensor:
        """What of x is orthogonal to all directions, x - D' D x: (B, n) to (B, n)."""
        if len(self.directions) == self.event_shape[0]:
            return torch.zeros_like(x)
        for _ in range(2):  # the second time takes away what rounding left of the first
            x = x - self.lifted(self.along(x))
        return x

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the set, less what rounding of x accounts for: (B, n) to (B,).

        Along directions that are no axes, rounding alone can move a large x. So 4 rounding errors of |x| count as none.
        """
        rounding = 4 * torch.finfo(x.dtype).eps * norm(x)
        return (norm(self._beyond(x, 0.0)) - rounding).relu()[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: x less what it is beyond its bounds, along their directions."""
        return self.retract(x)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Along the directions what `Box.interior` draws between the bounds, across them standard normal numbers."""
        rng, example = generator(rng), torch.empty((), dtype=dtype or torch.get_default_dtype())
        t = self.bounds.interior(n, rng=rng, dtype=dtype)
        return self.lifted(t) + self.across(standard_normal((n, *self.event_shape), rng, example))

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """The nearest point that is at least `margin` from every bound: (B, n) to (B, n).

        Raises:
            ConfigurationError: a margin that is negative, or half the width of a slab or more.
        """
        require_margin(
            f"{type(self).__name__}.retract", margin, float((self.bounds.upper - self.bounds.lower).min()) / 2
        )
        tolerance = self.tolerance(x.dtype)

        def missed(z: Tensor) -> Tensor:
            return (norm(self._beyond(z, margin)) - 2 * torch.finfo(z.dtype).eps * norm(z))[:, 0]

        return settled(lambda z: z - self.lifted(self._beyond(z, margin)), missed, x, tolerance / 4)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which rows are nearer than `margin` to a bound, said for each of their entries: (B, n) booleans."""
        return self.bounds.near_boundary(self.along(x), margin).any(1, keepdim=True).expand_as(x)

    def _beyond(self, x: Tensor, margin: float) -> Tensor:
        """How far D x is beyond each bound moved in by `margin`, signed: (B, n) to (B, k)."""
        t = self.along(x)
        return t - self.bounds.retract(t, margin)


@final
class Slabs(SlabSet):
    """Bounds along k orthonormal directions of n dimensions: {x : lower <= D x <= upper}. Samples have shape (B, n).

    Args:
        directions: D, k rows of n numbers, or a tensor (k, n): orthogonal, of length one, both to 1e-6. The nearest
            rows that are so exactly are used.
        lower: k numbers, or -inf where a direction has no lower bound.
        upper: k numbers, or inf where a direction has no upper bound.

    Raises:
        ConfigurationError: directions that are not orthonormal; differently many bounds; a lower bound not below its
            upper one; numbers that are not finite.

    Example:
        >>> import torch
        >>> from tain_analytic import Slabs
        >>> slab = Slabs(directions=[[0.6, 0.8]], lower=[-1.0], upper=[1.0])
        >>> slab.distance(torch.tensor([[3.0, 4.0], [0.5, 0.5]]))
        tensor([4.0000, 0.0000])
    """

    def __init__(
        self,
        directions: Annotated[Matrix, Field("D: orthonormal directions, one a row")],
        lower: Annotated[tuple[float, ...], Field("lower bound along each direction, -inf for none")],
        upper: Annotated[tuple[float, ...], Field("upper bound along each direction, inf for none")],
    ):
        super().__init__()
        rows = _orthonormal(finite_matrix("Slabs", "directions", directions))
        for name, values in (("lower", lower), ("upper", upper)):
            if len(values) != len(rows):
                raise ConfigurationError(
                    f"Slabs: '{name}' has {len(values)} entries, but must have one for each of the {len(rows)} rows of "
                    "'directions'."
                )
        for index, (a, b) in enumerate(zip(lower, upper, strict=True)):
            if not a < b or a == math.inf or b == -math.inf:
                raise ConfigurationError(f"Slabs: 'lower'[{index}] is {a}, but must be below 'upper'[{index}], {b}.")
        self._hold(rows, Box(lower, upper))


@final
class HalfSpace(SlabSet):
    """One side of a plane: {x : <normal, x> <= offset}. Samples have shape (B, n).

    Args:
        normal: n numbers, not all zero; it points out of the set, and its length does not matter beside `offset`'s.
        offset: a number.

    Raises:
        ConfigurationError: a normal without length, or a number that is not finite.

    Example:
        >>> import torch
        >>> from tain_analytic import HalfSpace
        >>> HalfSpace(normal=[3.0, 4.0], offset=5.0).project(torch.tensor([[0.0, 0.0], [6.0, 8.0]]))
        tensor([[0.0000, 0.0000],
                [0.6000, 0.8000]])
    """

    def __init__(
        self,
        normal: Annotated[Vector, Field("the direction that points out of the set")],
        offset: Annotated[float, Field("largest allowed <normal, x>", above=-math.inf, below=math.inf)],
    ):
        super().__init__()
        row = finite_vector("HalfSpace", "normal", normal)
        length = float(norm(row[None]))
        if length == 0:
            raise ConfigurationError("HalfSpace: 'normal' holds nothing but zeros, but must point out of the set.")
        self._hold(row[None] / length, Box((-math.inf,), (offset / length,)))


def _orthonormal(rows: Tensor, limit: float = 1e-6) -> Tensor:
    """The orthonormal rows nearest to those given, which must be so up to `limit`."""
    count, size = rows.shape
    if count > size:
        raise ConfigurationError(f"Slabs: 'directions' has {count} rows of {size} numbers: more cannot be orthogonal.")
    wrong = (rows @ rows.mT - torch.eye(count, dtype=rows.dtype)).abs()
    if bool((wrong > limit).any()):
        i, j = divmod(int(wrong.argmax()), count)
        product = float(rows[i] @ rows[j])
        what = f"'directions'[{i}] has the squared length {product:.9g}, but must have 1"
        if i != j:
            what = f"'directions'[{i}] and [{j}] have the inner product {product:.3g}, but must have 0"
        raise ConfigurationError(f"Slabs: {what}, to {limit:g}. Take the rows of torch.linalg.qr(directions.mT).Q.mT.")
    U, _, V = torch.linalg.svd(rows, full_matrices=False)
    return U @ V
