"""Checks of constraints that draw points inside, and of those that retract."""

import itertools
from typing import Any

import torch
from torch import Tensor

from tain.capabilities import supports
from tain.constraints import Interior, Projectable, Retractable
from tain.testing.checks import check
from tain.testing.compare import at_most, rows_of, same
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial

__all__: list[str] = []


@check(Interior)
def interior_form(constraint: Interior, trial: Trial) -> None:
    """`interior(n, dtype=)` gives n points of that dtype, also for n = 1 and n = 0."""
    for n in (trial.rows, 1, 0):
        x: Any = constraint.interior(n, rng=trial.rng(), dtype=trial.dtype)
        if tuple(x.shape) != (n, *trial.subject.event_shape):
            raise CheckError(
                f"interior({n}): has shape {tuple(x.shape)}, but must have {(n, *trial.subject.event_shape)}."
            )
        if x.dtype != trial.dtype:
            raise CheckError(f"interior({n}): has dtype {x.dtype}, but must have the one asked for, {trial.dtype}.")


@check(Interior)
def interior_is_inside(constraint: Interior, trial: Trial) -> None:
    """The points that `interior` draws are in the set."""
    x = constraint.interior(20, rng=trial.rng(), dtype=trial.dtype)
    at_most(constraint.distance(x), trial.subject.limit(trial.dtype), "the distance of a point of the interior")


@check(Interior)
def interior_follows_its_seed(constraint: Interior, trial: Trial) -> None:
    """The same seed draws the same points inside, whatever the global seed, and other seeds draw others."""
    first = constraint.interior(5, rng=trial.seed, dtype=trial.dtype)
    same(constraint.interior(5, rng=trial.seed, dtype=trial.dtype), first, "interior of the same seed")
    same(constraint.interior(5, rng=torch.Generator().manual_seed(trial.seed), dtype=trial.dtype), first, "interior")
    if _is_one_point(constraint, first, trial):
        return
    if torch.equal(constraint.interior(5, rng=trial.seed + 1, dtype=trial.dtype), first):
        raise CheckError("interior of another seed: has the same points, but must have others. Draw from `rng`.")


@check(Interior)
def interior_varies(constraint: Interior, trial: Trial) -> None:
    """The points that `interior` draws differ from each other, unless the set is a single point."""
    x = constraint.interior(8, rng=trial.rng(), dtype=trial.dtype)
    if not _is_one_point(constraint, x, trial) and len(x.unique(dim=0)) < 5:
        raise CheckError(f"interior(8): has {len(x.unique(dim=0))} different points, but must have at least 5.")


@check(Interior)
def interior_is_off_the_boundary(constraint: Interior, trial: Trial) -> None:
    """A point of the interior can move a little away from any other without leaving the set (of convex sets)."""
    x, other = (constraint.interior(20, rng=trial.rng(stream), dtype=torch.float64) for stream in (0, 1))
    limit, others = trial.subject.limit(torch.float64), [other]
    if supports(constraint, Projectable):
        noise = torch.randn(x.shape, generator=trial.rng(2), dtype=torch.float64)
        others.append(constraint.project(x + trial.subject.scale * noise).detach())
    for other in others:
        if (constraint.distance((x + other) / 2) > 10 * limit).any():
            raise NotApplicable("the set is not convex")
        at_most(constraint.distance(x + 1e-6 * (x - other)), limit, "the distance of a point pushed away from another")


@check(Retractable)
def retraction_lands_inside(constraint: Retractable, trial: Trial) -> None:
    """Retracted points are in the set, with and without a margin."""
    try:
        start = trial.boundary()
    except NotApplicable:  # a set without a boundary, such as a sphere
        start = trial.inside()
    near = start + 0.01 * trial.subject.scale * trial.normal(trial.subject.event_shape, 6).clamp(-1, 1)
    limit = trial.subject.limit(trial.dtype)
    for margin in (0.0, 1e-6 * trial.subject.scale):
        retracted = constraint.retract(near, margin)
        at_most(constraint.distance(retracted), limit, f"the distance of a point retracted with margin {margin:g}")


@check(Retractable)
def retraction_leaves_the_inside(constraint: Retractable, trial: Trial) -> None:
    """Points inside, away from the boundary, are left where they are."""
    x = trial.inside()
    clear = ~_near_boundary(constraint, x)
    moved = rows_of(constraint.retract(x) - x).norm(dim=1)
    size = rows_of(x).norm(dim=1).clamp(min=trial.subject.scale)
    at_most(torch.where(clear, moved, 0.0), 20 * trial.rounding * size, "how far a point inside is moved")


@check(Retractable)
def near_boundary_form(constraint: Retractable, trial: Trial) -> None:
    """`near_boundary` gives a boolean for each entry, and with a larger margin at least as many."""
    x = trial.inside()
    found = [constraint.near_boundary(x, margin * trial.subject.scale) for margin in (0.0, 1e-3, 1e-1)]
    for value in found:
        if value.dtype != torch.bool or value.shape != x.shape:
            raise CheckError(
                f"near_boundary: has dtype {value.dtype} and shape {tuple(value.shape)}, but must have torch.bool and "
                f"{tuple(x.shape)}."
            )
    for smaller, larger in itertools.pairwise(found):
        if (smaller & ~larger).any():
            raise CheckError("near_boundary: an entry is near with a small margin, but not with a larger one.")


def _near_boundary(constraint: Retractable, x: Tensor) -> Tensor:
    return constraint.near_boundary(x, 0.0).flatten(1).any(1)


def _is_one_point(constraint: Interior, x: Tensor, trial: Trial) -> bool:
    """Whether nothing near x is in the set, along any direction to where it draws others: then it draws one point."""
    spread = float(rows_of(x - x[:1]).abs().max())
    outside = constraint.distance(x + 1e-2 * trial.subject.scale * torch.randn(x.shape, generator=trial.rng(3)).to(x))
    return spread <= 20 * trial.rounding * trial.subject.scale and bool((outside > 0).all())
