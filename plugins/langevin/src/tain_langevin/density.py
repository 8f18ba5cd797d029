"""The density of a problem, with its gradient, and what is refused before the first step."""

import torch
from torch import Tensor

from tain import ConfigurationError, OutsideSetError, ShapeError, Target

__all__ = ["LogDensity"]


class LogDensity:
    """log_prob of a `Target` and its gradient, each row on its own.

    Args:
        problem: the density and its set.
        x: points inside, (C, *S), at which the density is tried.

    Raises:
        OutsideSetError: a point is outside of the set.
        ShapeError: log_prob does not return one number a row, or x is no batch of samples of the set.
        ConfigurationError: log_prob, or its gradient, is not finite at a point, or cut off from autograd.
    """

    def __init__(self, problem: Target, x: Tensor):
        self._log_prob = problem.log_prob
        try:
            problem.mirror.constraint.require(x)
        except OutsideSetError as error:
            raise OutsideSetError(f"start: {error}") from error
        value, gradient = self.value_and_gradient(x)
        for what, wrong in (
            ("is", ~value.isfinite()),
            ("has a gradient that is", ~gradient.flatten(1).isfinite().all(1)),
        ):
            if bool(wrong.any()):
                row = int(wrong.nonzero()[0])
                raise ConfigurationError(
                    f"Target: log_prob {what} not finite at start {row}, {x[row].flatten()[:5].tolist()}, but must be "
                    "finite inside the set. Give other points as 'start', or a density that is positive there."
                )

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(C, *S) to (C,) and (C, *S)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = self(x)
            if not value.requires_grad:
                raise ConfigurationError(
                    "Target: log_prob is cut off from its input, so it has no gradient. Compute it from x with torch, "
                    "without detach, item or no_grad; a constant density is 0 * x.sum(-1)."
                )
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient

    def __call__(self, x: Tensor) -> Tensor:
        """(C, *S) to (C,)."""
        value = self._log_prob(x)
        if not isinstance(value, Tensor) or value.shape != x.shape[:1]:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise ShapeError(
                f"Target: log_prob returned {found} for {len(x)} samples, but must return one number a row, "
                f"({len(x)},)."
            )
        return value.to(x.dtype)
