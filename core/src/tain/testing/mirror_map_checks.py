"""Checks of all mirror maps, and of projective ones."""

import torch
from torch import Tensor

from tain.capabilities import supports
from tain.constraints import Projectable
from tain.errors import OutsideSetError
from tain.mirror_maps import Bijective, MirrorMap, Projective
from tain.testing.checks import check
from tain.testing.compare import at_most, close, finite, rows_of
from tain.testing.derivatives import difference, slope_along
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.points import is_exact
from tain.testing.projection_checks import tried_points
from tain.testing.trials import Trial

__all__: list[str] = []


@check(MirrorMap)
def mirror_shapes(mirror: MirrorMap, trial: Trial) -> None:
    """`mirror_shape` and `primal_shape` undo each other and tell the shapes of images and points."""
    shape = trial.subject.event_shape
    image = tuple(mirror.mirror_shape(shape))
    for name, found, wanted in (
        ("forward(x)", tuple(mirror.forward(trial.inside()).shape[1:]), image),
        ("primal_shape(mirror_shape(S))", tuple(mirror.primal_shape(image)), shape),
    ):
        if found != wanted:
            raise CheckError(f"{name}: is {found}, but must be {wanted}.")


@check(MirrorMap)
def inverse_undoes_forward(mirror: MirrorMap, trial: Trial) -> None:
    """inverse(forward(x)) = x, for images that were copied, mixed with others and reordered since."""
    _require_declared(mirror, trial)
    x = torch.cat([trial.inside(), trial.inside(1)])
    y = torch.cat([mirror.forward(half).detach().clone() for half in x.split(trial.rows)])
    returned = mirror.inverse(y.flip(0))
    close(returned, x.flip(0), trial.subject.round_trip[trial.dtype], "inverse(forward(x))", trial.subject.scale)


@check(Bijective)
def forward_undoes_inverse(mirror: Bijective, trial: Trial) -> None:
    """forward(inverse(y)) = y, for images that no call has seen before."""
    y = mirror.forward(trial.inside()).detach() + 0.1 * trial.plain_images(1)
    image = mirror.forward(mirror.inverse(y.clone()).detach().clone())
    close(image, y, trial.subject.derivative[trial.dtype], "forward(inverse(y))", scale=1.0)


@check(MirrorMap)
def inverse_is_inside(mirror: MirrorMap, trial: Trial) -> None:
    """`inverse` of mirror images of any size is in the set."""
    _require_declared(mirror, trial)
    x = mirror.inverse(trial.images())
    finite(x, "inverse(y)")
    at_most(mirror.constraint.distance(x), trial.subject.limit(trial.dtype), "the distance of inverse(y)")


@check(MirrorMap)
def forward_takes_what_inverse_gives(mirror: MirrorMap, trial: Trial) -> None:
    """`forward` takes every point that `inverse` gives, and gives finite images."""
    _require_declared(mirror, trial)
    finite(mirror.forward(mirror.inverse(trial.images()).detach()), "forward(inverse(y))")


@check(MirrorMap)
def forward_refuses_points_outside(mirror: MirrorMap, trial: Trial) -> None:
    """`forward` refuses a batch with a point outside of the set, or a NaN, by an OutsideSetError."""
    _require_refused(mirror, _with_row(trial, torch.nan * trial.inside(1)), "a row of NaN")
    _require_refused(mirror, _with_row(trial, trial.outside(2)), "a point outside")


@check(MirrorMap)
def gradients_agree_with_differences(mirror: MirrorMap, trial: Trial) -> None:
    """The gradients of `forward` and `inverse` agree with their differences."""
    if not trial.precise:
        raise NotApplicable("differences need float64")
    x = trial.inside()
    y = mirror.forward(x).detach()
    for name, function, at, along, weights in (
        ("forward", mirror.forward, x, trial.tangent(x), torch.randn(y.shape, generator=trial.rng(5)).double()),
        ("inverse", mirror.inverse, y, trial.plain_images(6), torch.randn(x.shape, generator=trial.rng(7)).double()),
    ):
        found, size = slope_along(function, at, along, weights, name)
        try:
            expected = difference(function, at, along, weights)
        except OutsideSetError:
            if name == "inverse":
                raise
            continue  # the set is curved, such as a sphere, so that straight steps leave it
        at_most(
            (found - expected).abs(), 1e-4 * size + 1e-7 * trial.subject.scale, f"the error of the gradient of {name}"
        )


@check(Projective)
def inverse_is_the_projection(mirror: Projective, trial: Trial) -> None:
    """No point of the set, of many that are tried, is nearer to y than inverse(y)."""
    rule = mirror.constraint
    if tuple(mirror.mirror_shape(trial.subject.event_shape)) != trial.subject.event_shape:
        raise NotApplicable("mirror images have another shape than samples")
    y = trial.anywhere()
    x = mirror.inverse(y)
    found = rows_of(y - x).norm(dim=1)
    rounding = 60 * trial.rounding * rows_of(y).norm(dim=1).clamp(min=trial.subject.scale)
    others = tried_points(rule, y, x, trial)
    for tried in [*others, rule.project(y)] if supports(rule, Projectable) else others:
        nearest = torch.where(rule.contains(tried), rows_of(y - tried).norm(dim=1), torch.inf)
        at_most(
            found, nearest + rounding, "the distance from y to inverse(y), where another point of the set is nearer"
        )


@check(Projective)
def inverse_is_idempotent(mirror: Projective, trial: Trial) -> None:
    """inverse(forward(inverse(y))) = inverse(y)."""
    x = mirror.inverse(trial.plain_images() * trial.subject.scale)
    again = mirror.inverse(mirror.forward(x.detach().clone()))
    close(again, x, trial.subject.round_trip[trial.dtype], "inverse(forward(inverse(y)))", scale=trial.subject.scale)


def _require_declared(mirror: MirrorMap, trial: Trial) -> None:
    """A learned map keeps its rule only up to what its author has measured."""
    if not is_exact(mirror) and "round_trip" not in {**dict(getattr(mirror, "testing", {})), **trial.subject.given}:
        raise NotApplicable("a learned map keeps its rule up to measured bounds; give round_trip= and tolerance=")


def _with_row(trial: Trial, wrong: Tensor) -> Tensor:
    x = trial.inside()
    x[-1] = wrong[-1]
    return x


def _require_refused(mirror: MirrorMap, x: Tensor, what: str) -> None:
    try:
        mirror.forward(x)
    except OutsideSetError:
        return
    raise CheckError(f"forward: took {what} in row {len(x) - 1}. Call self.constraint.require(x) first.")
