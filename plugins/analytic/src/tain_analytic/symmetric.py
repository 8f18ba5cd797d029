"""Symmetric matrices as vectors of as many numbers as they have of their own, with the same inner product."""

import math

import torch
from torch import Tensor

from tain import ShapeError

__all__ = ["from_vector", "side", "symmetric", "to_vector"]


def symmetric(x: Tensor) -> Tensor:
    """(x + x') / 2 in float64: (B, n, n) to (B, n, n)."""
    x = x.double()
    return x / 2 + x.mT / 2  # halved first: the sum could overflow


def to_vector(X: Tensor) -> Tensor:
    """The lower triangle row by row, off the diagonal times sqrt 2: (B, n, n) to (B, n (n + 1) / 2).

    It is isometric: the dot product of two vectors is trace(X Y).

    >>> to_vector(torch.tensor([[[1.0, 3.0], [3.0, 2.0]]]))
    tensor([[1.0000, 4.2426, 2.0000]])
    """
    rows, columns = torch.tril_indices(X.shape[-1], X.shape[-1], device=X.device)
    entries = X[:, rows, columns]
    return torch.where(rows == columns, entries, math.sqrt(2) * entries)


def from_vector(y: Tensor, size: int, owner: str) -> Tensor:
    """The symmetric matrix of such a vector: (B, n (n + 1) / 2) to (B, n, n), for n = size.

    Raises:
        ShapeError: vectors of another length.
    """
    count = size * (size + 1) // 2
    if y.ndim != 2 or y.shape[1] != count:
        raise ShapeError(f"{owner}: mirror images have shape {tuple(y.shape)}, but must have (B, {count}).")
    rows, columns = torch.tril_indices(size, size, device=y.device)
    place = torch.empty((size, size), dtype=torch.long, device=y.device)
    place[rows, columns] = place[columns, rows] = torch.arange(count, device=y.device)
    return torch.where(rows == columns, y, math.sqrt(0.5) * y)[:, place]


def side(shape: tuple[int, ...], least: int, owner: str) -> int:
    """The k of vectors of length 1 + 2 + ... + k.

    Raises:
        ShapeError: another shape, or a length that is no such sum from k = `least` on.
    """
    count = shape[0] if len(shape) == 1 else -1
    k = (math.isqrt(8 * count + 1) - 1) // 2 if count > 0 else 0
    if k < least or k * (k + 1) // 2 != count:
        raise ShapeError(
            f"{owner}: mirror images have shape {shape}, but must have one dimension, with a triangular number "
            "of entries: 1, 3, 6, 10, ..."
        )
    return k
