"""Comparisons of batches, row by row. Each failure names the worst row, what it has and the limit."""

from collections.abc import Callable
from typing import NoReturn

import torch
from torch import Tensor

from tain.testing.outcome import CheckError

__all__ = ["above", "at_most", "close", "finite", "rows_of", "same"]


def rows_of(x: Tensor) -> Tensor:
    """Each sample as one row, in float64: (B, *S) to (B, numbers of a sample)."""
    return x.detach().double().reshape(len(x), -1 if x.numel() else 0)


def at_most(found: Tensor, limit: Tensor | float, what: str) -> None:
    """Demand found <= limit of each row, (B,). NaN breaks every limit."""
    _demand(found, limit, what, "at most", lambda a, b: a <= b, worst=1.0)


def above(found: Tensor, limit: Tensor | float, what: str) -> None:
    """Demand found > limit of each row, (B,)."""
    _demand(found, limit, what, "above", lambda a, b: a > b, worst=-1.0)


def close(found: Tensor, expected: Tensor, relative: float, what: str, scale: Tensor | float = 0.0) -> None:
    """Demand that the largest error of each row is `relative` to the row's largest entry, or to `scale`, at most."""
    if found.shape != expected.shape:
        raise CheckError(f"{what}: has shape {tuple(found.shape)}, but must have {tuple(expected.shape)}.")
    if not found.numel():
        return
    a, b = rows_of(found), rows_of(expected)
    error = (a - b).abs().amax(1)
    error = torch.where((a == b).all(1), 0.0, error)  # equal infinities too
    size = b.abs().amax(1).clamp(min=scale)
    _demand(error, relative * size, f"error of {what}", "at most", lambda e, limit: e <= limit, worst=1.0)


def same(found: Tensor, expected: Tensor, what: str) -> None:
    """Demand equal shapes, dtypes and numbers, to the last bit."""
    if found.dtype != expected.dtype:
        raise CheckError(f"{what}: has dtype {found.dtype}, but must have {expected.dtype}.")
    if found.is_floating_point():
        close(found, expected, 0.0, what)
    elif not torch.equal(found, expected):
        raise CheckError(f"{what}: is {found.tolist()}, but must be {expected.tolist()}.")


def finite(value: Tensor, what: str) -> None:
    """Demand numbers without NaN and infinities, (B, ...)."""
    bad = ~torch.isfinite(rows_of(value)).all(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        entries = rows_of(value)[row]
        example = entries[~torch.isfinite(entries)][0].item()
        raise CheckError(f"{what}: row {row} has {example}, but must be finite.")


def _demand(
    found: Tensor,
    limit: Tensor | float,
    what: str,
    words: str,
    holds: Callable[[Tensor, Tensor], Tensor],
    worst: float,
) -> None:
    found = found.detach().double()
    limit = torch.as_tensor(limit, dtype=torch.float64).expand_as(found)
    broken = ~holds(found, limit)
    if broken.any():
        excess = torch.where(broken, (worst * (found - limit)).nan_to_num(torch.inf), -torch.inf)
        _fail(int(excess.argmax()), found, limit, what, words)


def _fail(row: int, found: Tensor, limit: Tensor, what: str, words: str) -> NoReturn:
    raise CheckError(f"{what}: row {row} has {found[row].item():.4g}, but must be {words} {limit[row].item():.4g}.")
