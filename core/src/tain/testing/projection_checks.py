"""Checks of constraints that can project, and of residuals."""

import torch
from torch import Tensor

from tain.constraints import Constraint, Projectable, Residual
from tain.testing.checks import check
from tain.testing.compare import above, at_most, rows_of
from tain.testing.outcome import NotApplicable
from tain.testing.trials import Trial

__all__: list[str] = ["tried_points"]


@check(Projectable)
def projection_lands_inside(constraint: Projectable, trial: Trial) -> None:
    """Projected points are in the set."""
    for x in (trial.anywhere(), trial.outside(1) if _has_outside(trial) else trial.inside()):
        limit = trial.subject.limit(trial.dtype) + 8 * _rounding(x, trial)
        at_most(constraint.distance(constraint.project(x)), limit, "the distance of a projected point")


@check(Projectable)
def projection_is_idempotent(constraint: Projectable, trial: Trial) -> None:
    """Projected points, and points inside, are their own projections."""
    for x in (constraint.project(trial.anywhere()), trial.inside()):
        moved = _length(constraint.project(x) - x)
        at_most(moved, 20 * _rounding(x, trial), "how far projecting moves a point of the set")


@check(Projectable)
def projection_is_nearest(constraint: Projectable, trial: Trial) -> None:
    """No point of the set, of many that are tried, is nearer than the projection."""
    x = trial.anywhere()
    projected = constraint.project(x)
    found = _length(x - projected)
    for tried in tried_points(constraint, x, projected, trial):
        feasible = constraint.contains(tried)
        nearest = torch.where(feasible, _length(x - tried), torch.inf)
        at_most(
            found,
            nearest + 60 * _rounding(x, trial),
            "the distance to the projection, where another point of the set is nearer",
        )


@check(Projectable)
def distance_and_projection_agree(constraint: Projectable, trial: Trial) -> None:
    """The distance is above 0 where projecting moves a point, and 0 where it does not."""
    x = trial.anywhere()
    moved = _length(constraint.project(x) - x) > 100 * _rounding(x, trial)
    distance = constraint.distance(x)
    above(torch.where(moved, distance, 1.0), 0.0, "the distance of a point that projecting moves")
    limit = 200 * _rounding(x, trial) + trial.subject.limit(trial.dtype)
    steep = _steepness(constraint, x)
    at_most(torch.where(moved, 0.0, distance), limit * steep, "the distance of a point that projecting leaves")


@check(Residual)
def residual_is_zero_where_the_distance_is(constraint: Residual, trial: Trial) -> None:
    """The residual is 0 at points inside, up to rounding, and not 0 at points outside."""
    x = trial.inside()
    value = rows_of(constraint.residual(x)).norm(dim=1)
    direction = trial.normal(tuple(x.shape[1:]), 8)
    size = trial.subject.scale * (1e-6 if trial.precise else 1e-2)
    change = rows_of(constraint.residual(x + size * direction)).norm(dim=1) - value
    steepest = change.abs() / (size * rows_of(direction).norm(dim=1)) * x[0].numel() ** 0.5
    limit = 10 * (steepest + 1) * (trial.subject.limit(trial.dtype) + 20 * _rounding(x, trial))
    at_most(value, limit, "the residual of a point inside")
    if _has_outside(trial):
        value = rows_of(constraint.residual(trial.outside(1))).norm(dim=1)
        above(value, 0.0, "the residual of a point outside")


def tried_points(constraint: Constraint, x: Tensor, projected: Tensor, trial: Trial) -> list[Tensor]:
    """Points that are likely in the set, far from and near to what is said to be the nearest one to x."""
    others = [trial.inside(stream) for stream in (11, 12)]
    near = [torch.lerp(projected, other, share) for other in (*others, x) for share in (0.5, 1e-2, 1e-3)]
    if isinstance(constraint, Projectable):
        towards = [constraint.project(torch.lerp(projected, x, share)).detach() for share in (0.5, 0.1, 1e-2)]
        near += [*towards, constraint.project(trial.anywhere(13)).detach()]
    return [x, *others, *near]


def _length(x: Tensor) -> Tensor:
    return rows_of(x).norm(dim=1)


def _rounding(x: Tensor, trial: Trial) -> Tensor:
    """One rounding error of numbers as large as the set's, or as each row."""
    return trial.rounding * _length(x).clamp(min=trial.subject.scale)


def _steepness(constraint: Constraint, x: Tensor) -> float:
    """How fast a distance may grow, since it need not be the Euclidean one: its largest slope at these points."""
    x = x.detach().requires_grad_()
    distance = constraint.distance(x)
    if not distance.requires_grad:
        return 1.0
    (slope,) = torch.autograd.grad(distance.sum(), x)
    return max(1.0, float(_length(slope).nan_to_num().max()))


def _has_outside(trial: Trial) -> bool:
    try:
        trial.outside(1)
    except NotApplicable:
        return False
    return True
