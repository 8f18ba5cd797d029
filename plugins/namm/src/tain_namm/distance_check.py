"""Whether a rule can be learned from: its distance, and the data that are to teach it."""

import torch
from torch import Tensor

from tain import ConfigurationError, Constraint, Explanation, OutsideSetError

__all__ = ["check_distance", "require_inside"]

_ROWS = 256  # looked at together, so that many images do not fill the memory


def check_distance(constraint: Constraint, x: Tensor) -> None:
    """Try the distance of points off the set, (B, *S).

    Raises:
        ConfigurationError: the distance is not one number a row, negative, not finite, or without a finite gradient
            that tells where to go.
    """
    name = f"{type(constraint).__name__}.distance"
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        x = x.detach().clone().requires_grad_()
        distance = constraint.distance(x)
        if not isinstance(distance, Tensor) or distance.shape != x.shape[:1]:
            found = tuple(distance.shape) if isinstance(distance, Tensor) else type(distance).__name__
            raise ConfigurationError(
                f"{name}: gives {found} for {len(x)} samples, but must give one number a row, ({len(x)},)."
            )
        _refuse(name, distance, ~distance.isfinite(), "must be finite")
        _refuse(name, distance, distance < 0, "must be at least 0. Take its absolute value")
        without = f"{name}: has no gradient, so that nothing can be learned from it. "
        if not distance.requires_grad:
            raise ConfigurationError(f"{without}Compute it by differentiable operations, without detach() or round().")
        (slope,) = torch.autograd.grad(distance.sum(), x, allow_unused=True)
    outside = distance > 0
    if slope is None or (outside.any() and not slope[outside].any()):
        raise ConfigurationError(f"{without}It is 0 at each sample off the set: do without round(), sign() and counts.")
    wrong = ~slope.flatten(1).isfinite().all(1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ConfigurationError(
            f"{name}: has a gradient that is not finite for row {row}, of distance {distance[row].item():.3g}. "
            "A square root at 0 does that."
        )


@torch.no_grad()
def require_inside(constraint: Constraint, x: Tensor) -> None:
    """Refuse training data, (N, *S), that break the rule.

    Raises:
        OutsideSetError: names the worst rows.
    """
    found = [constraint.explain(part) for part in x.split(_ROWS)]
    rows = tuple(_ROWS * i + row for i, part in enumerate(found) for row in part.rows)
    if rows:
        distances = tuple(distance for part in found for distance in part.distances)
        worst = Explanation(found[0].rule, len(x), rows, distances, found[0].tolerance)
        raise OutsideSetError(f"The data break the rule that they are to teach. {worst} Mend them, or leave them out.")


def _refuse(name: str, distance: Tensor, wrong: Tensor, limit: str) -> None:
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ConfigurationError(f"{name}: is {distance[row].item():.6g} for row {row}, but {limit}.")
