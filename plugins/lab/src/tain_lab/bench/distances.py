"""Distances between large sets of rows, in blocks that fit the processor's cache: 10,000 rows take a minute.

They are those of `tain_lab.metrics`, which hold every pair in memory and so stop at a thousand rows; the Sinkhorn
divergence is also annealed more slowly, since haste leaves it far too small where a row lies away from the others.
Columns are centred and divided by their standard deviation among the held-out rows. Pairs are computed in float32, all
sums over them in float64.
"""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from tain.errors import DataError
from tain_lab.metrics import sliced

__all__ = ["BLUR", "compare_large"]

BLUR = 0.05
_SLOWLY, _FAST = 0.9, 0.5  # from one blur of the annealing to the next: between sets, and from a set to itself
_SELF_STEPS = 3  # further ones at the last blur
_LEAST = -80.0  # smaller exponents add nothing to sums near one, but processors are slow at numbers below 1e-38
_VANISHED = 1e-20  # sums below may be made of such exponents
_BLOCK = 2**20  # pairs at once: 4 MB
_WIDTH_ROWS = 1000  # held-out rows whose median distance is the width of the MMD's kernel


def compare_large(candidates: Mapping[str, Tensor], held_out: Tensor) -> dict[str, dict[str, float]]:
    """Three distances of each candidate's rows (N, C) to the held-out rows (M, C), by candidate, then by name.

    Sinkhorn is the debiased divergence with the cost |x - y|^2 / 2 and a blur of 0.05. Its transport cost is that of
    feasible dual potentials, so never above the true one, and a few hundredths below it. MMD has a Gaussian kernel as
    wide as the median distance between the first 1000 held-out rows.

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

    own = _self_cost(y)  # the same for all candidates
    width = float(torch.pdist(y[:_WIDTH_ROWS]).median())
    kernel_own = _kernel_mean(y, y, width)
    compared = {}
    for name, x in scaled.items():
        squared = _kernel_mean(x, x, width) + kernel_own - 2 * _kernel_mean(x, y, width)
        compared[name] = {
            "Sinkhorn": _cost(x, y) - (_self_cost(x) + own) / 2,
            "sliced": sliced(x, y),
            "MMD": math.sqrt(max(squared, 0.0)),  # it is a squared norm; rounding may carry it just below zero
        }
    return compared


def _cost(x: Tensor, y: Tensor) -> float:
    """The entropic transport cost from x to y, from below: averaged Sinkhorn steps while the blur shrinks."""
    f, g = torch.zeros(len(x)).double(), torch.zeros(len(y)).double()
    for blur in _blurs(torch.cat((x, y)), _SLOWLY):
        f_new, g_new = _step(x, y, f, g, blur)
        f, g = (f + f_new) / 2, (g + g_new) / 2
    f, _ = _step(x, y, f, g, BLUR)  # now the plan of (f, g) has mass one, so that f and g are feasible
    return float(f.mean() + g.mean())


def _self_cost(x: Tensor) -> float:
    """The entropic transport cost from x to itself: one potential, which averaged steps find soon."""
    f = torch.zeros(len(x)).double()
    for blur in [*_blurs(x, _FAST), *[BLUR] * _SELF_STEPS]:
        f = (f + _step(x, x, f, f, blur)[0]) / 2
    return float(f.mean() + _step(x, x, f, f, BLUR)[0].mean())


def _blurs(rows: Tensor, scaling: float) -> list[float]:
    """The blurs of the annealing, from the diameter of all rows down to `BLUR`."""
    diameter = float((rows.amax(0) - rows.amin(0)).norm())
    steps = max(0, math.ceil(math.log(diameter / BLUR) / -math.log(scaling))) if diameter > 0 else 0
    return [*(diameter * scaling**k for k in range(steps)), BLUR]


def _step(x: Tensor, y: Tensor, f: Tensor, g: Tensor, blur: float) -> tuple[Tensor, Tensor]:
    """One Sinkhorn step of both potentials, f (N,) and g (M,): f - eps log mean_j K_ij and g - eps log mean_i K_ij.

    K_ij = exp((f_i + g_j - |x_i - y_j|^2 / 2) / eps) is the plan that the old potentials stand for. Its sums are near
    one from the first step of the annealing to the last. Only of rows far away from all others do they overflow or
    vanish; then the logarithm is taken the safe way, which is slower.
    """
    epsilon = blur**2
    sums, columns = torch.empty_like(f), torch.zeros_like(g)
    for rows, exponent in _pairs(x, y, f - x.square().sum(1) / 2, g - y.square().sum(1) / 2, epsilon):
        plan = exponent.clamp_min_(_LEAST).exp_()
        sums[rows] = plan.sum(1).double()
        columns += plan.sum(0)
    if all(bool(((total > _VANISHED) & total.isfinite()).all()) for total in (sums, columns)):
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
        total += float(exponent.clamp_min_(_LEAST).exp_().sum(1).double().sum())
    return total / (len(x) * len(y))


def _pairs(x: Tensor, y: Tensor, a: Tensor, b: Tensor, scale: float) -> Iterator[tuple[slice, Tensor]]:
    """(a_i + b_j + <x_i, y_j>) / scale in blocks of rows, each as one product of matrices, gone with the next block."""
    left = torch.cat((x, a[:, None] / scale, torch.ones(len(x), 1)), 1).float()
    right = torch.cat((y / scale, torch.ones(len(y), 1), b[:, None] / scale), 1).float().mT.contiguous()
    size = max(1, _BLOCK // len(y))
    block = torch.empty(size, len(y))  # one for all: new memory for each would cost more than what is done in it
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        part = left[rows]
        yield rows, torch.mm(part, right, out=block[: len(part)])
