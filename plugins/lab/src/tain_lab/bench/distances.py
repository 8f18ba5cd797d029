"""Distances between large sets of rows, in blocks that fit the processor's cache: 10,000 rows take a few seconds.

They are those of `tain_lab.metrics`, which hold every pair in memory and so stop at a thousand rows. Columns are
centred and divided by their standard deviation among the held-out rows. Pairs are computed in float32, all sums over
them in float64.
"""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from tain.errors import DataError
from tain_lab.metrics import sliced

__all__ = ["BLUR", "compare_large"]

BLUR = 0.05
_SCALING = 0.5  # from one blur of the annealing to the next, as in geomloss
_BLOCK = 2**20  # pairs at once: 4 MB
_WIDTH_ROWS = 1000  # held-out rows whose median distance is the width of the MMD's kernel


def compare_large(candidates: Mapping[str, Tensor], held_out: Tensor) -> dict[str, dict[str, float]]:
    """Three distances of each candidate's rows (N, C) to the held-out rows (M, C), by candidate, then by name.

    Sinkhorn is the debiased divergence with the cost |x - y|^2 / 2 and a blur of 0.05, annealed as geomloss does it;
    MMD has a Gaussian kernel as wide as the median distance between the first 1000 held-out rows.

    Sources:
        Interpolating between Optimal Transport and MMD using Sinkhorn Divergences, https://arxiv.org/abs/1810.08278
        A Kernel Two-Sample Test, https://jmlr.org/papers/v13/gretton12a.html

    Raises:
        DataError: a row holds a NaN or an infinity, or the numbers of rows differ.

    Example:
        >>> rows = torch.arange(300.0).reshape(100, 3)
        >>> compare_large({"itself": rows.flip(0)}, rows)["itself"]["sliced"]
        0.0
    """
    for name, rows in candidates.items():
        if rows.shape != held_out.shape or not bool(rows.isfinite().all()):
            raise DataError(
                f"'{name}' of shape {tuple(rows.shape)} cannot be compared with held-out rows of shape "
                f"{tuple(held_out.shape)}: both must have the same shape, and hold finite numbers only."
            )
    mean, deviation = held_out.double().mean(0), held_out.double().std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    y = (held_out.double() - mean) / deviation
    scaled = {name: (rows.double() - mean) / deviation for name, rows in candidates.items()}

    blurs = _blurs(torch.cat([y, *scaled.values()]))
    own, _ = _potentials(y, y, blurs)  # the same for all candidates
    width = float(torch.pdist(y[:_WIDTH_ROWS]).median())
    kernel_own = _kernel_mean(y, y, width)
    compared = {}
    for name, x in scaled.items():
        f, g = _potentials(x, y, blurs)
        f_x, _ = _potentials(x, x, blurs)
        squared = _kernel_mean(x, x, width) + kernel_own - 2 * _kernel_mean(x, y, width)
        compared[name] = {
            "Sinkhorn": float((f - f_x).mean() + (g - own).mean()),  # equation (3.209) of Feydy's thesis
            "sliced": sliced(x, y),
            "MMD": math.sqrt(max(squared, 0.0)),  # it is a squared norm; rounding may carry it just below zero
        }
    return compared


def _blurs(rows: Tensor) -> list[float]:
    """The blurs of the annealing, from the diameter of all rows down to `BLUR`, the first one twice."""
    diameter = float((rows.amax(0) - rows.amin(0)).norm())
    halvings = max(0, math.ceil(math.log(diameter / BLUR) / -math.log(_SCALING))) if diameter > 0 else 0
    return [max(diameter, BLUR), *(diameter * _SCALING**k for k in range(halvings)), BLUR]


def _potentials(x: Tensor, y: Tensor, blurs: list[float]) -> tuple[Tensor, Tensor]:
    """The dual potentials f (N,), g (M,) of entropic optimal transport, by averaged Sinkhorn steps."""
    f, g = _step(x, y, torch.zeros(len(x)).double(), torch.zeros(len(y)).double(), blurs[0])
    for blur in blurs:
        f_new, g_new = _step(x, y, f, g, blur)
        f, g = (f + f_new) / 2, (g + g_new) / 2
    return _step(x, y, f, g, BLUR)


def _step(x: Tensor, y: Tensor, f: Tensor, g: Tensor, blur: float) -> tuple[Tensor, Tensor]:
    """One Sinkhorn step of both potentials: f - eps log mean_j K_ij and g - eps log mean_i K_ij.

    K_ij = exp((f_i + g_j - |x_i - y_j|^2 / 2) / eps) is the plan that the old potentials stand for. Its sums are near
    one from the first step of the annealing to the last. Only of rows far away from all others do they overflow or
    vanish; then the logarithm is taken the safe way, which is slower.
    """
    epsilon = blur**2
    sums, columns = torch.empty_like(f), torch.zeros_like(g)
    for rows, exponent in _pairs(x, y, f - x.square().sum(1) / 2, g - y.square().sum(1) / 2, epsilon):
        plan = exponent.exp_()
        sums[rows] = plan.sum(1).double()
        columns += plan.sum(0)
    if bool(torch.isfinite(sums.log()).all() and torch.isfinite(columns.log()).all()):
        return f - epsilon * (sums / len(y)).log(), g - epsilon * (columns / len(x)).log()
    return _soft_minimum(x, y, g, epsilon), _soft_minimum(y, x, f, epsilon)


def _soft_minimum(x: Tensor, y: Tensor, g: Tensor, epsilon: float) -> Tensor:
    """-eps log mean_j exp((g_j - |x_i - y_j|^2 / 2) / eps), (N,), whatever the size of the numbers."""
    squares = x.square().sum(1) / 2
    result = torch.empty_like(squares)
    for rows, exponent in _pairs(x, y, -squares, g - y.square().sum(1) / 2, epsilon):
        result[rows] = -epsilon * (exponent.double().logsumexp(1) - math.log(len(y)))
    return result


def _kernel_mean(x: Tensor, y: Tensor, width: float) -> float:
    """The mean of exp(-|x - y|^2 / (2 width^2)) over all pairs."""
    total = 0.0
    for _, exponent in _pairs(x, y, -x.square().sum(1) / 2, -y.square().sum(1) / 2, width**2):
        total += float(exponent.exp_().sum(1).double().sum())
    return total / (len(x) * len(y))


def _pairs(x: Tensor, y: Tensor, a: Tensor, b: Tensor, scale: float) -> Iterator[tuple[slice, Tensor]]:
    """(a_i + b_j + <x_i, y_j>) / scale in blocks of rows, each as one product of matrices."""
    left = torch.cat((x, a[:, None] / scale, torch.ones(len(x), 1)), 1).float()
    right = torch.cat((y / scale, torch.ones(len(y), 1), b[:, None] / scale), 1).float().mT.contiguous()
    size = max(1, _BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        yield rows, left[rows] @ right
