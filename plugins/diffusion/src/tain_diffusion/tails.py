"""Heavy tails, shortened: a smooth one-to-one map of each row, w to w asinh(|w|) / |w|.

Near zero it leaves everything as it is, far out it takes logarithms of lengths. The mirror images of points near the
boundary of a set, under a log barrier, lie so far out that a standard deviation tells nothing, and may not exist; after
this map their tails fall off exponentially.
"""

import torch
from torch import Tensor

__all__ = ["lengthened", "log_det_shortened", "median_and_spread", "shortened"]


def shortened(w: Tensor) -> Tensor:
    """The map: (B, *S) to (B, *S), for lengths |w| from 1e-15 in float32 up to 1e18 (1e150 in float64), and 0.

    Example:
        >>> import torch
        >>> shortened(torch.tensor([[0.0, 100.0]]))
        tensor([[0.0000, 5.2983]])
    """
    length = _length(w)
    return w * (length.asinh() / length)


def lengthened(u: Tensor) -> Tensor:
    """Its inverse: (B, *S) to (B, *S)."""
    length = _length(u)
    return u * (length.sinh() / length)


def log_det_shortened(w: Tensor) -> Tensor:
    """log |det of its Jacobian at w|, (B, *S) to (B,).

    Of the D directions, D - 1 shrink by asinh(|w|) / |w|, and the one of w by the derivative 1 / sqrt(1 + |w|^2).
    """
    length, size = _length(w).flatten(), w[:1].numel() or 1
    return (size - 1) * (length.asinh() / length).log() - length.square().log1p() / 2


def median_and_spread(y: Tensor) -> tuple[Tensor, Tensor]:
    """The median of each entry of y (N, *S), and its deviation as the median tells it, as for a normal distribution.

    Where over half of the values are equal, the second is the standard deviation.
    """
    median = y.median(dim=0).values
    spread = 1.4826 * (y - median).abs().median(dim=0).values  # 1 / the upper quartile of the normal distribution
    return median, torch.where(spread > 0, spread, y.std(dim=0, correction=0))


def _length(w: Tensor) -> Tensor:
    """The length of each row, (B, 1, ...), at least a tiny number, by which one can divide."""
    length = torch.linalg.vector_norm(w.flatten(1), dim=1).clamp_min(torch.finfo(w.dtype).tiny ** 0.5)
    return length.reshape(-1, *[1] * (w.ndim - 1))
