"""How much a set of Markov chains tells: effective sample size and split R-hat.

Each chain is split into halves, so that a drift within chains shows like a difference between them. W is the mean
variance of the halves, and V estimates that of the density from W and the variance B / n between the halves' means:

    V = (n - 1) / n W + B / n          R-hat = sqrt(V / W)
    rho_t = 1 - (W - mean of the autocovariances at lag t) / V          n_eff = m n / (1 + 2 sum rho_t)

where the sum ends with Geyer's initial monotone sequence. Ranks, made normal, stand for the draws where it says so, so
that both figures make sense for heavy tails.

Sources:
    Rank-normalization, folding, and localization: An improved R-hat for assessing convergence of MCMC,
    https://arxiv.org/abs/1903.08008
    Practical Markov Chain Monte Carlo (initial sequences), https://doi.org/10.1214/ss/1177011137
"""

import math

import torch
from torch import Tensor

from tain import ShapeError

__all__ = ["effective_samples", "split_r_hat", "standard_error"]

_LEAST = 5  # draws of half a chain


def effective_samples(draws: Tensor, ranks: bool = True) -> Tensor:
    """The number of independent draws that would tell as much: draws (chains, N, *S) to (*S), float64.

    NaN where a draw is not finite, or all are equal.

    Args:
        draws: what the chains drew, in order; N is at least 10.
        ranks: of the ranks (bulk effective sample size), else of the draws themselves, as errors of means need it.

    Raises:
        ShapeError: too few draws, or a shape without both dimensions.

    Example:
        >>> import torch
        >>> effective_samples(torch.randn(4, 1000, generator=torch.Generator().manual_seed(0))).round()
        tensor(3960., dtype=torch.float64)
    """
    halves = _halves(draws)
    z = _normal_ranks(halves) if ranks else halves
    chains, n = z.shape[1:]
    covariances = _autocovariances(z).mean(1)
    W = covariances[:, 0] * n / (n - 1)
    V = covariances[:, 0] + (z.mean(2).var(1) if chains > 1 else 0)
    rho = 1 - (W[:, None] - covariances) / V[:, None]
    rho[:, 0] = 1
    count = 2 * ((n - 3) // 2 + 1)
    even, odd = rho[:, 0:count:2], rho[:, 1:count:2]
    pairs = even + odd
    positive = (pairs > 0).cumprod(1)
    positive[:, -1] = 0  # what goes on to the longest lags has to end there
    monotone = (pairs.cummin(1).values * positive).sum(1)
    # The sequence's end counts half: the first even lag of a pair that is negative as a whole, if it is not itself.
    ended = (1 - positive).cumsum(1) == 1
    rest = (even.clamp(min=0) * ended).sum(1)
    time = (2 * monotone - 1 + rest).clamp(min=1 / math.log10(chains * n))
    # A chain may be better than independent draws, but what says so by more than that is noise.
    return (chains * n / time).reshape(draws.shape[2:])


def split_r_hat(draws: Tensor) -> Tensor:
    """Near 1 where all chains agree: the larger one of ranks, and of ranks of distances to the median.

    Take no result above 1.01 for a draw of the density.

    Args:
        draws: what the chains drew, in order, shape (chains, N, *S); N is at least 10.

    Returns:
        shape (*S), float64; NaN where a draw is not finite, or all are equal.

    Raises:
        ShapeError: too few draws, or a shape without both dimensions.

    Example:
        >>> import torch
        >>> draws = torch.randn(4, 1000, generator=torch.Generator().manual_seed(0))
        >>> split_r_hat(draws) < 1.01, split_r_hat(draws + torch.arange(4)[:, None]) > 1.5
        (tensor(True), tensor(True))
    """
    halves = _halves(draws)
    median = halves.flatten(1).quantile(0.5, dim=1)[:, None, None] if halves.numel() < 2**24 else _median(halves)
    folded = (halves - median).abs()
    return torch.maximum(_r_hat(_normal_ranks(halves)), _r_hat(_normal_ranks(folded))).reshape(draws.shape[2:])


def standard_error(draws: Tensor) -> Tensor:
    """The standard error of the mean of all draws, (chains, N, *S) to (*S), float64: deviation / sqrt(n_eff)."""
    return draws.double().flatten(0, 1).std(0) / effective_samples(draws, ranks=False).sqrt()


def _halves(draws: Tensor) -> Tensor:
    """First and last half of each chain: (chains, N, *S) to (entries, 2 chains, N // 2), float64."""
    half = draws.shape[1] // 2 if draws.ndim > 1 else 0
    if half < _LEAST or not len(draws):
        raise ShapeError(
            f"draws have shape {tuple(draws.shape)}, but must have (chains, N, ...) with at least one chain and "
            f"{2 * _LEAST} draws a chain."
        )
    split = torch.cat([draws[:, :half], draws[:, -half:]]).double()
    return split.flatten(2).permute(2, 0, 1) if split.ndim > 2 else split[None]


def _normal_ranks(z: Tensor) -> Tensor:
    """The normal quantiles of each entry's ranks among all its draws; equal draws share a mean rank."""
    flat = z.flatten(1).contiguous()
    ordered = flat.sort(1).values
    below = torch.searchsorted(ordered, flat)
    up_to = torch.searchsorted(ordered, flat, right=True)
    ranks = (below + up_to + 1) / 2
    normal = torch.special.ndtri((ranks.double() - 3 / 8) / (flat.shape[1] + 1 / 4))
    return torch.where(flat.isfinite().all(1, keepdim=True), normal, torch.nan).reshape(z.shape)


def _median(z: Tensor) -> Tensor:
    ordered, count = z.flatten(1).sort(1).values, z[0].numel()
    return ((ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2)[:, None, None]


def _r_hat(z: Tensor) -> Tensor:
    n = z.shape[2]
    W = z.var(2).mean(1)
    return (((n - 1) / n * W + z.mean(2).var(1)) / W).sqrt()


def _autocovariances(z: Tensor) -> Tensor:
    """Of each series, at all lags: (..., n) to (..., n), each a sum of products over n."""
    n = z.shape[-1]
    spectrum = torch.fft.rfft(z - z.mean(-1, keepdim=True), n=2 * n).abs().square()
    return torch.fft.irfft(spectrum, n=2 * n)[..., :n] / n
