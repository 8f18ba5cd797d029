"""Derivatives of a batch along directions, by one backward pass and by differences."""

from collections.abc import Callable

import torch
from torch import Tensor

from tain.testing.compare import rows_of
from tain.testing.outcome import CheckError

__all__ = ["difference", "gradient", "slope_along"]


def gradient(function: Callable[[Tensor], Tensor], x: Tensor, what: str, weights: Tensor | None = None) -> Tensor:
    """The gradient of the weighted sum of a function's results, shape of x.

    Raises:
        CheckError: the result is cut off from x.
    """
    x = x.detach().clone().requires_grad_()
    value = function(x)
    total = value.sum() if weights is None else (weights * value).sum()
    if not total.requires_grad:
        raise CheckError(f"{what}: is cut off from its input, so it has no gradient. Do not detach or use no_grad.")
    (slope,) = torch.autograd.grad(total, x, allow_unused=True)
    if slope is None:
        raise CheckError(f"{what}: does not depend on its input as far as autograd can tell. Do not detach it.")
    return slope


def slope_along(
    function: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, weights: Tensor, what: str
) -> tuple[Tensor, Tensor]:
    """<weights, J direction> of each row, (B,), and the size of the terms in it, by one backward pass."""
    terms = rows_of(gradient(function, x, what, weights) * direction)
    return terms.sum(1), terms.abs().sum(1)


def difference(function: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, weights: Tensor) -> Tensor:
    """<weights, J direction> of each row, (B,), by central differences with a step of 1e-5 of the direction."""
    ahead, behind = (function(x + sign * 1e-5 * direction).detach() for sign in (1, -1))
    return rows_of(weights * (ahead - behind)).sum(1) / 2e-5
