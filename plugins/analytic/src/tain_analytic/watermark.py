"""Watermarks: private slabs that a generator keeps to, and that other data miss.

The tokens are orthonormal directions, drawn at random and kept secret; the mark is that a sample lies between two
bounds along each of them. To mark what a generator makes, let it keep the rule: fit it in the mirror space of the
slabs. To detect the mark, ask `slabs.contains(x)`. Where tokens are many, hardly a sample of another origin is in all.

Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
"""

import attrs
import torch
from torch import Tensor

from tain import ConfigurationError, Constraint
from tain.randomness import generator, standard_normal
from tain_analytic.slabs import Slabs

__all__ = ["FalsePositives", "false_positives", "private_watermark"]


def private_watermark(
    samples: Tensor, *, tokens: int, share: float = 0.5, rng: torch.Generator | int | None = None
) -> Slabs:
    """Slabs along random orthonormal directions, each as wide as to hold a share of the samples, in their middle.

    If the projections on different tokens are independent, a sample of the same origin is in all slabs with the
    probability share^tokens, which `false_positives` measures. Narrower slabs change samples more.

    Args:
        samples: data like those to be generated, shape (N, n), at least two.
        tokens: number of directions, from 1 to n.
        share: of the samples that each slab alone holds, between 0 and 1.
        rng: the secret. Keep it, or the slabs (`tain.save`), private.

    Raises:
        ConfigurationError: samples that are no finite matrix, too many tokens, a share outside of its limits, or
            samples that do not vary along a token.

    Example:
        >>> import torch
        >>> from tain_analytic import private_watermark
        >>> x = torch.randn(1000, 16, generator=torch.Generator().manual_seed(0))
        >>> mark = private_watermark(x, tokens=8, share=0.25, rng=2024)
        >>> mark.contains(x).sum()
        tensor(0)
    """
    if samples.ndim != 2 or len(samples) < 2 or not bool(samples.isfinite().all()):
        raise ConfigurationError(
            f"private_watermark: 'samples' has shape {tuple(samples.shape)}, but must be (N, n), N at least 2, of "
            "finite numbers."
        )
    size = samples.shape[1]
    if not 1 <= tokens <= size:
        raise ConfigurationError(f"private_watermark: 'tokens' is {tokens}, but must be from 1 to {size}.")
    if not 0 < share < 1:
        raise ConfigurationError(f"private_watermark: 'share' is {share}, but must be above 0 and below 1.")
    like = torch.empty((), dtype=torch.float64)
    directions = torch.linalg.qr(standard_normal((size, tokens), generator(rng), like)).Q.mT
    along = samples.detach().cpu().double() @ directions.mT
    bounds = torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=torch.float64)
    lower, upper = torch.quantile(along, bounds, dim=0)
    if not bool((lower < upper).all()):
        token = int((lower >= upper).nonzero()[0])
        raise ConfigurationError(
            f"private_watermark: the middle {share:g} of the samples are all alike along token {token}. Leave out "
            "columns that do not vary, or give more samples."
        )
    return Slabs(directions, tuple(lower.tolist()), tuple(upper.tolist()))


@attrs.frozen
class FalsePositives:
    """How often a detector calls samples marked that are not.

    Attributes:
        rate: the share of the samples given.
        low, high: a confidence interval of the true rate (Clopper and Pearson).
        count: how many samples were given.
    """

    rate: float
    low: float
    high: float
    count: int


def false_positives(mark: Constraint, unmarked: Tensor, *, confidence: float = 0.95) -> FalsePositives:
    """The false-positive rate of a watermark's detector, `mark.contains`, on samples without the mark.

    Args:
        mark: the slabs.
        unmarked: samples (N, n) that were not used to choose the slabs.
        confidence: probability with which the interval holds the true rate, between 0 and 1.

    Raises:
        ConfigurationError: no samples, or a confidence outside of its limits.

    Example:
        >>> import torch
        >>> from tain_analytic import false_positives, private_watermark
        >>> x = torch.randn(20000, 16, generator=torch.Generator().manual_seed(0))
        >>> mark = private_watermark(x[:10000], tokens=8, share=0.25, rng=2024)
        >>> found = false_positives(mark, x[10000:])
        >>> found.rate, found.high < 1e-3
        (0.0, True)
    """
    if not len(unmarked):
        raise ConfigurationError("false_positives: 'unmarked' holds no sample, but must hold at least one.")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"false_positives: 'confidence' is {confidence}, but must be above 0 and below 1.")
    from scipy.stats import binomtest  # only here, since it takes a second to import

    hits, count = int(mark.contains(unmarked).sum()), len(unmarked)
    interval = binomtest(hits, count).proportion_ci(confidence, method="exact")
    return FalsePositives(hits / count, float(interval.low), float(interval.high), count)
