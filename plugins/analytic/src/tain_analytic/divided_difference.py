"""Divided differences, (f(a) - f(b)) / (a - b), of numbers that are nearly equal, where a difference would cancel."""

from functools import cache

import torch
from torch import Tensor

__all__ = ["CLOSE", "are_close", "gauss_legendre"]

CLOSE = 0.2  # numbers that differ by less, relatively, would lose more than a digit in a difference


def are_close(a: Tensor, b: Tensor) -> Tensor:
    """Whether the difference of two numbers, at least 0, loses more than a digit: booleans."""
    return (a - b).abs() <= CLOSE * torch.maximum(a, b)


@cache
def gauss_legendre(count: int) -> tuple[tuple[float, float], ...]:
    """Nodes in [0, 1] and weights with the sum 1, by the eigenvalues of Golub and Welsch's matrix.

    >>> [round(node, 4) for node, _ in gauss_legendre(2)]
    [0.2113, 0.7887]
    """
    k = torch.arange(1, count, dtype=torch.float64)
    beta = k / (4 * k * k - 1).sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(beta, 1) + torch.diag(beta, -1))
    return tuple(zip(((1 + nodes) / 2).tolist(), vectors[0].square().tolist(), strict=True))
