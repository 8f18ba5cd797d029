"""A constraint: a rule that each sample keeps, known through its distance.

The set of a constraint is where its distance is zero. Everything that tain does with a rule needs no more than that
distance; what else a rule can do (project, give a point inside, ...) is a capability class below, inherited by those
constraints that can.
"""

import abc
from typing import final

import torch
from torch import Tensor

from tain.configured import Configured, configuration
from tain.errors import OutsideSetError, ShapeError
from tain.explanation import Explanation
from tain.fields import shown

__all__ = ["Constraint", "Interior", "Projectable", "Residual", "Retractable"]


class Constraint(Configured, abc.ABC):
    """A rule on single samples: the set {x : distance(x) = 0}.

    Attributes:
        event_ndim: number of trailing dimensions that one sample has: 1 for vectors, 3 for images (C, H, W).
        event_shape: the shape of one sample where the rule fixes it, else None.
        scale: size of the numbers in the set, which turns a relative rounding error into an absolute tolerance.

    Example:
        >>> import torch, tain
        >>> class Flux(tain.Constraint):
        ...     event_ndim = 1
        ...     def __init__(self, total: float = 1.0):
        ...         super().__init__()
        ...         self.total = total
        ...     def distance(self, x):
        ...         return (x.sum(-1) - self.total).abs()
        >>> Flux(2.0).contains(torch.tensor([[1.0, 1.0], [1.0, 1.5]]))
        tensor([ True, False])
    """

    event_ndim: int
    event_shape: tuple[int, ...] | None = None
    scale: float = 1.0

    @abc.abstractmethod
    def distance(self, x: Tensor) -> Tensor:
        """How far each sample is from the set.

        Args:
            x: samples, shape (B, *event_shape).

        Returns:
            shape (B,): at least 0, 0 exactly on the set, differentiable almost everywhere.
        """

    def tolerance(self, dtype: torch.dtype) -> float:
        """The distance up to which a point counts as inside: 8 rounding errors of numbers as large as `scale`."""
        return 8 * torch.finfo(dtype).eps * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Calling a constraint gives its distance."""
        return self.distance(x)

    @final
    def contains(self, x: Tensor, tolerance: float | None = None) -> Tensor:
        """Which samples are in the set, up to a distance of `tolerance`: booleans, shape (B,).

        A sample with a NaN or an infinity is outside, whatever its distance.
        """
        return self._checked_distance(x) <= self._limit(x, tolerance)

    @final
    def explain(self, x: Tensor, tolerance: float | None = None) -> Explanation:
        """Which samples are outside of the set, by how much, against which tolerance."""
        distance, limit = self._checked_distance(x), self._limit(x, tolerance)
        rows = (~(distance <= limit)).nonzero().flatten()
        return Explanation(
            rule=type(self).__name__,
            count=len(x),
            rows=tuple(rows.tolist()),
            distances=tuple(distance[rows].tolist()),
            tolerance=limit,
        )

    @final
    def require(self, x: Tensor, tolerance: float | None = None) -> None:
        """Refuse samples outside of the set.

        Raises:
            OutsideSetError: names the rows, their distances and the tolerance.
        """
        explanation = self.explain(x, tolerance)
        if explanation.rows:
            raise OutsideSetError(str(explanation))

    def _limit(self, x: Tensor, tolerance: float | None) -> float:
        return self.tolerance(x.dtype) if tolerance is None else tolerance

    def _checked_distance(self, x: Tensor) -> Tensor:
        """The distance, NaN for samples that are not numbers throughout, which a rule may well overlook."""
        self.require_shape(x)
        distance = self.distance(x.detach()).detach()
        if distance.shape != x.shape[:1]:
            raise ShapeError(
                f"{type(self).__name__}.distance: returned shape {tuple(distance.shape)} for {len(x)} samples, but "
                f"must return one number a sample, ({len(x)},)."
            )
        finite = x.detach().unsqueeze(-1).flatten(1).isfinite().all(1)
        return torch.where(finite, distance, torch.nan)

    @final
    def require_shape(self, x: Tensor) -> None:
        """Refuse a tensor that is no batch of samples, or not of floating point numbers.

        Raises:
            ShapeError: names the shape or dtype given and wanted.
        """
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise ShapeError(f"{name}: samples are a {type(x).__name__}, but must be a tensor. Use torch.as_tensor(x).")
        shape = tuple(x.shape)
        if not x.is_floating_point():
            raise ShapeError(f"{name}: samples have dtype {x.dtype}, but must be floating point. Use x.float().")
        if x.ndim != self.event_ndim + 1:
            raise ShapeError(
                f"{name}: samples have shape {shape}, but must have one batch dimension and {self.event_ndim} more."
            )
        if self.event_shape is not None and shape[1:] != self.event_shape:
            wanted = ", ".join(map(str, self.event_shape))
            raise ShapeError(f"{name}: samples have shape {shape}, but must have (B, {wanted}).")

    def extra_repr(self) -> str:
        return ", ".join(f"{key}={shown(value)}" for key, value in configuration(self).items())


class Projectable(Constraint):
    """Capability: the nearest point of the set is known."""

    @abc.abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """The point of the set nearest to each sample in the Euclidean norm: (B, *S) to (B, *S)."""


class Residual(Constraint):
    """Capability: the rule is a system of equations, residual(x) = 0."""

    @abc.abstractmethod
    def residual(self, x: Tensor) -> Tensor:
        """The equations' left sides: (B, *S) to (B, K), zero exactly on the set, differentiable."""


class Interior(Constraint):
    """Capability: points well inside the set can be drawn."""

    @abc.abstractmethod
    def interior(
        self,
        n: int,
        *,
        rng: torch.Generator | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """`n` random points of the (relative) interior, shape (n, *S). Same seed, same points."""


class Retractable(Constraint):
    """Capability: measured data near the set can be carried onto it, the way its field does it.

    Measured data break an exact rule by their rounding, and lie on the boundary where the truth is below what the
    instrument detects; mirror maps are infinite there. A retraction mends both.

    Attributes:
        retraction: one sentence that tells a reader of a report what `retract` does.
    """

    retraction: str

    @abc.abstractmethod
    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Carry samples near the set onto it, and those within `margin` of its boundary that far inside.

        Args:
            x: samples, shape (B, *S).
            margin: least wanted distance to the boundary, at least 0.

        Returns:
            shape (B, *S): in the set; samples that were, at `margin` or more from the boundary, are unchanged up to
            rounding.
        """

    @abc.abstractmethod
    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which entries of each sample lie nearer than `margin` to the boundary: booleans, shape (B, *S)."""
