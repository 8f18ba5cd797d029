"""Conjugate gradients, row by row.

Source: Methods of conjugate gradients for solving linear systems, https://doi.org/10.6028/jres.049.044
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tain.rows import inner, per_row

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
    times: Callable[[Tensor], Tensor], wanted: Tensor, iterations: int, tolerance: float | Tensor
) -> Tensor:
    """v with M v near to `wanted`, for a symmetric positive definite matrix M of each row.

    A row stops where |wanted - M v| is at most `tolerance` |wanted|, or where M turns out not to be positive: what it
    has until then is kept.

    Args:
        times: M times (B, *S), each row by its own matrix.
        wanted: (B, *S).
        iterations: the most products of a row.
        tolerance: relative size of the rest, one number or (B,).

    Example:
        >>> diagonal = torch.tensor([1.0, 2.0, 4.0])
        >>> conjugate_gradients(lambda v: diagonal * v, torch.ones(1, 3), iterations=3, tolerance=1e-6)
        tensor([[1.0000, 0.5000, 0.2500]])
    """
    v, rest, direction = torch.zeros_like(wanted), wanted, wanted
    square = inner(rest, rest)
    enough = tolerance**2 * square
    for _ in range(iterations):
        on = square > enough
        if not bool(on.any()):
            break
        image = times(direction)
        curvature = inner(direction, image)
        on = on & (curvature > 0) & curvature.isfinite()
        length = per_row(torch.where(on, square / curvature, 0), v)
        v = v + length * direction
        rest = rest - length * image
        before, square = square, torch.where(on, inner(rest, rest), 0)  # a row that has stopped takes no part any more
        direction = torch.where(per_row(on, v), rest + per_row(square / before, v) * direction, 0)
    return v
