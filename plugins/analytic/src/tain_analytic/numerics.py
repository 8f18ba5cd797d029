"""What several maps need so that floating point does not spoil their formulas."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tain import ConfigurationError

__all__ = ["barrier_margin", "like", "norm", "require_margin", "settled", "times"]


def like(constant: Tensor, x: Tensor) -> Tensor:
    """A float64 constant with the dtype and device of `x`.

    Components keep constants as plain float64 tensors on the CPU and cast them where they are used. As buffers, they
    would lose their last digits for good in `.float()`, and float64 samples would get float32 accuracy.
    """
    return constant.to(x.dtype).to(x.device)  # dtype first: some devices have no float64


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of each row, (B, n) to (B, 1), whatever its size: squares neither overflow nor vanish.

    Its gradient is x / |x|, and 0 at x = 0.

    >>> norm(torch.tensor([[3e30, 4e30], [3e-30, 4e-30], [0.0, 0.0]])).flatten()
    tensor([5.0000e+30, 5.0000e-30, 0.0000e+00])
    """
    if x.dtype != torch.float64 and x.device.type != "mps":  # which has no float64, where squares of float32 are safe
        return torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float64).to(x.dtype)
    size = x.detach().abs().amax(1, keepdim=True)
    size = torch.where((size > 0) & torch.isfinite(size), size, 1)
    return size * torch.linalg.vector_norm(x / size, dim=1, keepdim=True)  # |s u| = s |u|: `size` needs no gradient


def barrier_margin(dtype: torch.dtype) -> float:
    """The least slack at which 1 / slack is finite with digits to spare for sums: 1e-31 in float32, 1e-292 in float64.

    >>> barrier_margin(torch.float32) < 1e-30
    True
    """
    limits = torch.finfo(dtype)
    return limits.tiny / limits.eps


def require_margin(owner: str, margin: float, limit: float) -> None:
    """Refuse a margin that is negative, NaN, or as large as `limit`, where nothing of the set would be left.

    Raises:
        ConfigurationError: names the margin and its limits.
    """
    if not (0 <= margin < limit and math.isfinite(margin)):
        raise ConfigurationError(f"{owner}: 'margin' is {margin}, but must be at least 0 and below {limit:.6g}.")


def settled(
    step: Callable[[Tensor], Tensor], distance: Callable[[Tensor], Tensor], x: Tensor, tolerance: float
) -> Tensor:
    """A linear projection, repeated for each row until it is within `tolerance` of the set, at most eight times.

    Each step leaves its own rounding, 1e-7 of its length in float32; from 1e30 away it takes six to 1e-7.
    """
    nearest = step(x)
    for _ in range(7):
        far = distance(nearest)[:, None] > tolerance
        if not bool(far.any()):
            break
        nearest = torch.where(far, step(nearest), nearest)  # only those rows, so that each is on its own
    return nearest


def times(x: Tensor, matrix: Tensor) -> Tensor:
    """x matrix', in full precision even under autocast, which would round a product to bfloat16."""
    with torch.autocast(x.device.type, enabled=False):
        return x @ like(matrix, x).mT
