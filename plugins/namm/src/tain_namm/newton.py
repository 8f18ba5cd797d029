"""Solving f(x) = y for the gradient of a strongly convex function, each row by itself."""

from collections.abc import Callable

import torch
from torch import Tensor

from tain import ConfigurationError
from tain.conjugate_gradients import conjugate_gradients
from tain.rows import inner

__all__ = ["solve"]

_PRODUCTS = 50  # with the Jacobian, at most, for one step
_HALVINGS = 30


def solve(function: Callable[[Tensor], Tensor], y: Tensor, start: Tensor, tolerance: float, max_steps: int) -> Tensor:
    """The x with function(x) = y, by Newton's method with conjugate gradients and halved steps.

    The Jacobian is symmetric and positive definite, so that its products with a vector are those of reverse-mode
    differentiation, and each Newton step, however inexact, is one down the size of function(x) - y if short enough.

    Source: Numerical Optimization (Nocedal and Wright), chapter 7, https://doi.org/10.1007/978-0-387-40065-5

    Args:
        function: the gradient of a strongly convex function of each row.
        y: what it shall give, (B, *S).
        start: where to begin, (B, *S).
        tolerance: the largest error of an entry of function(x), at which a row stops.
        max_steps: of Newton's method.

    Raises:
        ConfigurationError: a row has not come as near within these steps.
    """
    x = start.detach().clone()
    missing = torch.arange(len(x))
    for step in range(max_steps + 1):
        with torch.enable_grad():
            at = x[missing].requires_grad_()
            image = function(at)
            residual = (image - y[missing]).detach()
            far = residual.flatten(1).abs().amax(1) > tolerance if len(missing) else missing > 0
            if not far.any():
                return x
            if step == max_steps:
                break
            towards = _towards(image, at, residual)
        x[missing] = _halved(function, y[missing], x[missing], towards, residual, far)
        missing = missing[far]
    worst = int(residual.flatten(1).abs().amax(1).argmax())
    raise ConfigurationError(
        f"exact_inverse: row {int(missing[worst])} misses its image by {float(residual[worst].abs().max()):.3g} after "
        f"{max_steps} steps, but 'tolerance' is {tolerance:.3g}. Allow more steps, a larger tolerance, or use float64."
    )


def _towards(image: Tensor, at: Tensor, residual: Tensor) -> Tensor:
    """The d with J d = residual, about: the nearer to the solution the more exactly, so that steps converge fast."""

    def times(direction: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(image, at, direction, retain_graph=True)
        return product

    tolerance = 1e-2 * inner(residual, residual).clamp(max=1).sqrt()
    return conjugate_gradients(times, residual, _PRODUCTS, tolerance)


@torch.no_grad()
def _halved(
    function: Callable[[Tensor], Tensor], y: Tensor, x: Tensor, towards: Tensor, residual: Tensor, far: Tensor
) -> Tensor:
    """x - t towards, with the first t of 1, 1/2, 1/4, ... that brings a row nearer; rows not `far` stay."""
    before, open_rows, result = inner(residual, residual), far.clone(), x.clone()
    length = 1.0
    for _ in range(_HALVINGS):
        tried = x - length * towards
        error = function(tried) - y
        better = open_rows & (inner(error, error) < (1 - 1e-4 * length) * before)
        result[better] = tried[better]
        open_rows = open_rows & ~better
        if not open_rows.any():
            break
        length /= 2
    return result
