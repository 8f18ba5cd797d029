"""A polytope: the bounded set that linear inequalities and equations leave."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal, uniform
from tain_analytic.numerics import norm, require_margin
from tain_analytic.polytope_geometry import Matrix, Vector, affine_hull, extent, precision_of, reduced_rows, system
from tain_analytic.polytope_projection import AlongFace, nearest

__all__ = ["Polytope"]


@final
class Polytope(Projectable, Interior, Retractable):
    """Linear inequalities and equations: {x : A x <= b, C x = d}, a bounded set. Samples have shape (B, n).

    Within the solutions of the equations, {origin + N z} with orthonormal columns N, the inequalities are G z <= h with
    rows of unit length. So the slacks h - G z are Euclidean distances within that hull, and all else counts in them.
    Of parallel rows only the tightest counts, and a row that holds throughout the hull does not. A redundant row that
    is not parallel to another changes the set by nothing, but adds its term to the log barrier.

    The tolerance is that of numbers as large as `scale`, a bound on |x| in the set. Functions of x compute in float64,
    and return the dtype of x.

    Args:
        matrix: A, m rows of n numbers, or a tensor (m, n). Lists are taken in float64, tensors as they are.
        bounds: b, m numbers, or a tensor (m,).
        equality_matrix: C, k rows of n numbers, or a tensor (k, n); no equations if not given.
        equality_offset: d, k numbers, or a tensor (k,).

    Raises:
        ConfigurationError: rows of different length or not finite; equations that contradict each other or leave one
            point; a set that is empty, unbounded, or without interior among the solutions of the equations.

    Example:
        >>> import torch
        >>> from tain_analytic import Polytope
        >>> triangle = Polytope(matrix=[[-1, 0], [0, -1], [3, 4]], bounds=[0, 0, 12])
        >>> triangle.distance(torch.tensor([[1.0, 1.0], [-0.5, 1.0], [3.0, 4.0]]))
        tensor([0.0000, 0.5000, 2.6000])
        >>> triangle.radius  # of the largest ball inside
        1.0
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = (
        "Rows are moved to the nearest solution of the equations, and then, if they break an inequality or are nearer "
        "to its bound than the margin, straight towards the centre of the largest ball inside, until none is."
    )

    def __init__(
        self,
        matrix: Annotated[Matrix, Field("A: one row of coefficients for each inequality, A x <= b")],
        bounds: Annotated[Vector, Field("b: the upper bound of each inequality")],
        equality_matrix: Annotated[Matrix | None, Field("C: one row for each equation, C x = d")] = None,
        equality_offset: Annotated[Vector | None, Field("d: the right side of each equation")] = None,
    ):
        super().__init__()
        precision = max(torch.finfo(torch.float64).eps, *(precision_of(v) for v in (matrix, equality_matrix)))
        self.matrix, self.bounds = system("matrix", matrix, "bounds", bounds)
        n = self.matrix.shape[1]
        if (equality_matrix is None) != (equality_offset is None):
            given, missing = ("offset", "matrix") if equality_matrix is None else ("matrix", "offset")
            raise ConfigurationError(f"Polytope: 'equality_{given}' is given without 'equality_{missing}'. Give both.")
        self.equality_matrix, self.equality_offset = torch.zeros(0, n).double(), torch.zeros(0).double()
        if equality_matrix is not None and equality_offset is not None:
            self.equality_matrix, self.equality_offset = system(
                "equality_matrix", equality_matrix, "equality_offset", equality_offset
            )
        if self.equality_matrix.shape[1] != n:
            raise ConfigurationError(
                f"Polytope: 'equality_matrix' has {self.equality_matrix.shape[1]} columns, but 'matrix' has {n}."
            )
        hull = affine_hull(self.equality_matrix, self.equality_offset, precision)
        self._hull = hull
        self._G, self._h, places = reduced_rows(self.matrix, self.bounds, hull, precision)
        found = extent(self._G, self._h, places, hull)
        self._center, self.radius = found.center, found.radius
        self._read = (self.matrix[places] != 0).double()
        self.event_shape = (n,)
        self.scale = found.scale

    @property
    def center(self) -> Tensor:
        """The centre of a largest ball inside, float64, shape (n,)."""
        return self._hull.origin + self._hull.basis @ self._center

    def distance(self, x: Tensor) -> Tensor:
        """The largest violation of an inequality, plus the distance to the equations' solutions: (B, n) to (B,).

        Both are Euclidean lengths; 4 rounding errors of |x| count as no distance to the solutions, since seldom is a
        rounded vector nearer. At most the Euclidean distance times sqrt(2), but near corners it may be much less.
        """
        over = (-self.slack(x)).amax(1).relu()
        if not len(self._hull.equations):
            return over.to(x.dtype)
        wide = x.double()
        missed = norm(
            wide @ self._on(x, self._hull.equations).mT - self._on(x, self._hull.equations @ self._hull.origin)
        )
        return (over + (missed - 4 * torch.finfo(x.dtype).eps * norm(wide)).relu()[:, 0]).to(x.dtype)

    def project(self, x: Tensor) -> Tensor:
        """The nearest point in the Euclidean norm: (B, n) to (B, n). Exact up to rounding of x and of the scale.

        Rows that the set contains, to half its tolerance, are returned as they are. Any finite x is allowed: its result
        is in the set, and is the nearest point to an x that differs by rounding, 1e-15 of its size. So far out, at 1e15
        of the scale or more, all that counts of x is its direction, and of nearly equally good points any may come.

        The derivative is the orthogonal projection onto the directions of the face that the result lies on.

        Source: see `polytope_projection`.

        Example:
            >>> triangle = Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
            >>> triangle.project(torch.tensor([[1.0, 1.5], [0.25, -9.0], [1e30, 0.0], [0.2, 0.7]]))
            tensor([[0.2500, 0.7500],
                    [0.2500, 0.0000],
                    [1.0000, 0.0000],
                    [0.2000, 0.7000]])
        """
        with torch.no_grad():
            outside = (self.slack(x) < -4 * torch.finfo(x.dtype).eps * self.scale).any(1, keepdim=True) | self._off(x)
            center, G = self._on(x, self._center), self._on(x, self._G)
            z, facets = nearest(G, self._on(x, self._h) - G @ center, self.reduce(x) - center, self.scale)
            value = torch.where(outside, self.expand(center + z).to(x.dtype), x)
        return AlongFace.apply(x, value, self._on(x, self._hull.basis), G, facets)

    def slack(self, x: Tensor) -> Tensor:
        """The distance to each facet that counts, h - G z, negative outside: (B, n) to (B, m') float64."""
        return self._on(x, self._h) - self.reduce(x) @ self._on(x, self._G).mT

    def reduce(self, x: Tensor) -> Tensor:
        """Coordinates in the hull, z = N' (x - origin): (B, n) to (B, n - rank of C) float64."""
        return (x.double() - self._on(x, self._hull.origin)) @ self._on(x, self._hull.basis)

    def expand(self, z: Tensor) -> Tensor:
        """The point with these coordinates, origin + N z: (B, n - rank of C) to (B, n) float64."""
        return self._on(z, self._hull.origin) + z @ self._on(z, self._hull.basis).mT

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Nearly uniform points, each moved 1% of its way to the centre: the ends of `n` hit-and-run walks.

        A walk starts at the centre and takes 20 + 4 f steps in f free coordinates, each to a uniform point of the chord
        in a random direction.

        Source: Efficient Monte Carlo Procedures for Generating Points Uniformly Distributed over Bounded Regions,
        https://doi.org/10.1287/opre.32.6.1296
        """
        rng = generator(rng)
        z = self._center.expand(n, -1)
        s = self._h - z @ self._G.mT
        for _ in range(20 + 4 * z.shape[1]):
            direction = standard_normal(tuple(z.shape), rng, z)
            speed = direction @ self._G.mT  # of each slack, downwards
            way = s / speed
            ahead = torch.where(speed > 0, way, math.inf).amin(1, keepdim=True)
            behind = torch.where(speed < 0, way, -math.inf).amax(1, keepdim=True)
            z = z + (behind + (ahead - behind) * uniform((n, 1), rng, z)) * direction
            s = (self._h - z @ self._G.mT).clamp(min=0)
        return self.expand(self._center + 0.99 * (z - self._center)).to(dtype or torch.get_default_dtype())

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Move rows onto the equations, then towards the centre until every slack is at least `margin`.

        Raises:
            ConfigurationError: a margin that is negative, or `radius` or more.

        Example:
            >>> square = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 1, 1, 1])
            >>> square.retract(torch.tensor([[2.0, 1.0], [0.25, 0.5]]), margin=0.5)
            tensor([[0.5000, 0.2500],
                    [0.2500, 0.5000]])
        """
        require_margin("Polytope.retract", margin, self.radius)
        s, center = self.slack(x), self._on(x, self._center)
        most = self._on(x, self._h) - center @ self._on(x, self._G).mT  # the slacks of the centre
        # The share of the way from the centre at which slack most + share (s - most) is the margin, where it is below.
        share = torch.where(s < margin, (most - margin) / (most - s).clamp(min=torch.finfo(s.dtype).tiny), 1)
        inside = center + share.amin(1, keepdim=True) * (self.reduce(x) - center)
        return torch.where((share < 1).any(1, keepdim=True) | self._off(x), self.expand(inside).to(x.dtype), x)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which entries take part in an inequality with a slack below `margin`: booleans, shape (B, n).

        An entry takes part if its coefficient in the row of A is not zero, so that in a box each entry is judged by its
        own bounds, while a bound on the sum of all concerns all.
        """
        return (self.slack(x) < margin).double() @ self._on(x, self._read) > 0

    def intersection(self, other: "Polytope") -> "Polytope":
        """The points that are in both.

        Raises:
            ConfigurationError: samples of another length, or a set in both that `Polytope` refuses: empty or flat.

        Example:
            >>> square = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 1, 1, 1])
            >>> diagonal = Polytope([[1, 0], [-1, 0]], [3, 0], equality_matrix=[[1, -1]], equality_offset=[0])
            >>> square.intersection(diagonal).contains(torch.tensor([[0.5, 0.5], [2.0, 2.0], [0.5, 0.6]]))
            tensor([ True, False, False])
        """
        if other.event_shape != self.event_shape:
            raise ConfigurationError(
                f"Polytope.intersection: the samples of one have {self.event_shape[0]} entries, those of the other "
                f"{other.event_shape[0]}. Both must have the same number."
            )
        C = torch.cat([self.equality_matrix, other.equality_matrix])
        d = torch.cat([self.equality_offset, other.equality_offset])
        A, b = torch.cat([self.matrix, other.matrix]), torch.cat([self.bounds, other.bounds])
        return Polytope(A, b, C, d) if len(C) else Polytope(A, b)

    def _off(self, x: Tensor) -> Tensor:
        """Whether rows are off the equations' solutions by more than their rounding: (B, 1) booleans."""
        away = norm(x.double() - self.expand(self.reduce(x)))
        return away > 4 * torch.finfo(x.dtype).eps * norm(x.double())

    @staticmethod
    def _on(x: Tensor, constant: Tensor) -> Tensor:
        return constant.to(x.device)
