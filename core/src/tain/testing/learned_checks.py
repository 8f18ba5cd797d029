"""Checks of learned mirror maps."""

from typing import Any

import torch

from tain.learned import Learned
from tain.testing.checks import check
from tain.testing.compare import at_most, close, finite, rows_of
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial

__all__ = ["require_every_weight"]

_MARGIN = 2.0  # how far the largest error of fresh points may go beyond the largest of those that were measured


@check(Learned)
def learned_loss(mirror: Learned, trial: Trial) -> None:
    """The training loss is finite, one number a row, the same for the same seed, and reaches every weight."""
    x = trial.inside()
    loss = mirror.loss(x, rng=trial.seed)
    if tuple(loss.shape) != (len(x),):
        raise CheckError(f"loss: has shape {tuple(loss.shape)}, but must have one number a row, ({len(x)},).")
    finite(loss, "loss")
    close(mirror.loss(x, rng=trial.seed), loss, 0.0, "loss of the same seed")
    require_every_weight(mirror, lambda: mirror.loss(x, rng=trial.seed))


@check(Learned)
def learned_bounds_hold(mirror: Learned, trial: Trial) -> None:
    """Of fresh points, the distance of inverse(forward(x)) and its error are at most twice the measured bounds."""
    if not mirror.bounds:
        raise NotApplicable(f"{trial.subject.name} has no measured bounds; call measure(x) with held-out points")
    x = trial.inside()
    returned = mirror.inverse(mirror.forward(x)).detach()
    found = {"distance": mirror.constraint.distance(returned), "round-trip": rows_of(returned - x).abs().amax(1)}
    rounding = {
        "distance": trial.subject.limit(trial.dtype),
        "round-trip": trial.subject.round_trip[trial.dtype] * trial.subject.scale,
    }
    for name, bound in mirror.bounds.items():
        limit = max(_MARGIN * bound, rounding[name])
        at_most(found[name], limit, f"the {name} of inverse(forward(x)), where {bound:.4g} was measured")


def require_every_weight(component: Any, loss: Any) -> None:
    """Demand that the gradient of a loss reaches every weight that can be trained."""
    total = loss().sum()
    weights = {name: weight for name, weight in component.named_parameters() if weight.requires_grad}
    if weights and not total.requires_grad:
        raise CheckError("loss: is cut off from the weights, so nothing can be trained. Do not detach it.")
    slopes = torch.autograd.grad(total, list(weights.values()), allow_unused=True) if weights else ()
    for name, slope in zip(weights, slopes, strict=True):
        if slope is None or not slope.any():
            raise CheckError(f"the gradient of the loss: is {'none' if slope is None else 0} for weight '{name}'.")
        if not torch.isfinite(slope).all():
            raise CheckError(f"the gradient of the loss: is not finite for weight '{name}'.")
