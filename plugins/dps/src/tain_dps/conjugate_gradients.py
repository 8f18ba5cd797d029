"""Conjugate gradients, row by row.

Source: Methods of conjugate gradients for solving linear systems, https://doi.org/10.6028/jres.049.044
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["conjugate_gradients"]


def conjugate_gradients(times: Callable[[Tensor], Tensor], wanted: Tensor, iterations: int, tolerance: float) -> Tensor:
    """v with M v near to `wanted`, for a symmetric positive definite matrix M of each row.

    A row stops where |wanted - M v| is at most `tolerance` |wanted|, or where M turns out not to be positive: what it
    has until then is kept.

    Args:
        times: M times (B, *S), each row by its own matrix.
        wanted: (B, *S).
        iterations: the most products of a row.
        tolerance: relative size of the rest.

    Example:
        >>> diagonal = torch.tensor([1.0, 2.0, 4.0])
        >>> conjugate_gradients(lambda v: diagonal * v, torch.ones(1, 3), iterations=3, tolerance=1e-6)
        tensor([[1.0000, 0.5000, 0.2500]])
    """
    v, rest, direction = torch.zeros_like(wanted), wanted, wanted
    square = _inner(rest, rest)
    enough = tolerance**2 * square
    on = square > enough
    for _ in range(iterations):
        if not bool(on.any()):
            break
        image = times(direction)
        curvature = _inner(direction, image)
        on = on & (curvature > 0) & curvature.isfinite()  # a row that has stopped takes no part any more
        length = torch.where(on, square / curvature, 0)
        v = v + _each(length, direction)
        rest = rest - _each(length, image)
        before, square = square, torch.where(on, _inner(rest, rest), square)
        direction = torch.where(_each(on, torch.ones_like(rest)).bool(), rest + _each(square / before, direction), 0)
        on = on & (square > enough)
    return v


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


def _each(factors: Tensor, v: Tensor) -> Tensor:
    """Each row times its own number."""
    return factors.reshape(-1, *[1] * (v.ndim - 1)) * v
