"""Checks of constraints: the distance."""

from typing import Any

import torch
from torch import Tensor

from tain.capabilities import supports
from tain.constraints import Constraint, Projectable
from tain.testing.checks import check
from tain.testing.compare import above, at_most, finite, rows_of
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial

__all__: list[str] = []


@check(Constraint)
def distance_is_not_negative(constraint: Constraint, trial: Trial) -> None:
    """The distance is at least 0 everywhere."""
    for x in (trial.anywhere(), trial.inside()):
        at_most(-constraint.distance(x), 0.0, "minus the distance")


@check(Constraint)
def distance_is_zero_inside(constraint: Constraint, trial: Trial) -> None:
    """The distance of points inside is 0, up to the tolerance."""
    at_most(constraint.distance(trial.inside()), trial.subject.limit(trial.dtype), "the distance of a point inside")


@check(Constraint)
def distance_is_positive_outside(constraint: Constraint, trial: Trial) -> None:
    """The distance is above the tolerance at the points outside that are given, or that projecting moves."""
    limit = trial.subject.limit(trial.dtype)
    if trial.subject.outside is not None:
        x = trial.subject.outside(trial.rows, rng=trial.rng(), dtype=trial.dtype)
        above(constraint.distance(x), limit, "the distance of a point outside")
    elif supports(constraint, Projectable):
        x = trial.anywhere()
        moved = rows_of(constraint.project(x) - x).norm(dim=1) > 1e-2 * trial.subject.scale
        above(torch.where(moved, constraint.distance(x), torch.inf), limit, "the distance of a point outside")
    else:
        raise NotApplicable("no points outside are known; give outside=, a function (n, rng=, dtype=) that draws some")


@check(Constraint)
def distance_is_continuous(constraint: Constraint, trial: Trial) -> None:
    """The distance falls to 0 without a jump where the set begins."""
    if not trial.precise:
        raise NotApplicable("the boundary is sought in float64")
    inside, outside = trial.inside(), trial.outside()
    far = constraint.distance(outside)
    limit = trial.subject.limit(torch.float64)
    for _ in range(45):
        middle = (inside + outside) / 2
        within = (constraint.distance(middle) <= limit).reshape(-1, *[1] * (middle.ndim - 1))
        inside, outside = torch.where(within, middle, inside), torch.where(within, outside, middle)
    at_most(constraint.distance(outside), 1e-4 * far + 10 * limit, "the distance just outside of the boundary")


@check(Constraint)
def gradient_of_the_distance(constraint: Constraint, trial: Trial) -> None:
    """Outside, the gradient of the distance is finite and not 0, and a small step against it lowers the distance."""
    x = trial.outside().requires_grad_()
    distance = constraint.distance(x)
    if not distance.requires_grad:
        raise CheckError("the distance: is cut off from its samples, so it has no gradient.")
    (slope,) = torch.autograd.grad(distance.sum(), x)
    finite(slope, "the gradient of the distance")
    length = rows_of(slope).norm(dim=1)
    above(length, 0.0, "the length of the gradient outside")
    if trial.precise:  # else the step may drown in rounding
        step = (1e-3 * distance.detach() / length.square()).reshape(-1, *[1] * (x.ndim - 1))
        fallen = constraint.distance(x.detach() - step * slope)
        at_most(fallen - distance, -2e-4 * distance, "the change of the distance by a step against its gradient")


@check(Constraint)
def slope_of_the_distance(constraint: Constraint, trial: Trial) -> None:
    """Outside, the gradient of the distance agrees with its differences, where those on both sides agree."""
    if not trial.precise:
        raise NotApplicable("differences need float64")
    x, direction = trial.outside().requires_grad_(), trial.normal(trial.subject.event_shape, 7)
    h = 1e-6 * trial.subject.scale
    (slope,) = torch.autograd.grad(constraint.distance(x).sum(), x)
    middle, ahead, behind = (constraint.distance(x.detach() + sign * h * direction) for sign in (0, 1, -1))
    forward, backward = (ahead - middle) / h, (middle - behind) / h
    size = 1e-3 * rows_of(slope).norm(dim=1) * rows_of(direction).norm(dim=1) + 1e-3 * forward.abs()
    along = rows_of(slope * direction).sum(1)
    smooth = (forward - backward).abs() <= size
    error = torch.where(smooth, (along - (forward + backward) / 2).abs(), 0.0)
    at_most(error, size + 1e-9, "the error of the distance's slope")


@check(Constraint)
def contains_agrees_with_the_distance(constraint: Constraint, trial: Trial) -> None:
    """`contains` says whether the distance is at most the tolerance, row by row, and that no NaN is inside."""
    tolerance = constraint.tolerance(trial.dtype)
    if not 0 <= tolerance < float("inf"):
        raise CheckError(f"the tolerance: is {tolerance}, but must be a finite number of at least 0.")
    broken = trial.inside(3)
    broken[0] = torch.nan
    for x in (trial.anywhere(), trial.inside(), broken):
        _require_equal(constraint.contains(x), _finite(x) & (constraint.distance(x) <= tolerance), "contains(x)")
        near = _finite(x) & (constraint.distance(x) <= 0.5)
        _require_equal(constraint.contains(x, tolerance=0.5), near, "contains(x, tolerance=0.5)")


def _finite(x: Tensor) -> Tensor:
    return torch.isfinite(rows_of(x)).all(1)


def _require_equal(found: Any, expected: Tensor, what: str) -> None:
    if not isinstance(found, Tensor) or found.shape != expected.shape or found.dtype != torch.bool:
        raise CheckError(f"{what}: must be one boolean a row.")
    if (found != expected).any():
        row = int((found != expected).nonzero()[0])
        raise CheckError(f"{what}: row {row} has {bool(found[row])}, but must have {bool(expected[row])}.")
