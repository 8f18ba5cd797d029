"""How well samples keep the rule, and how near they are to data: every figure beside the same figure for real data.

A distance between two finite sets of rows is never zero, not even between two halves of the same data. So each is
reported beside the distance of real training rows to the same held-out rows: samples that reach it are as good as
data. All sets compared have the same number of rows, because these distances shrink with it.
"""

from collections.abc import Callable

import attrs
import torch
from geomloss import SamplesLoss
from torch import Tensor

from tain import Constraint
from tain_lab.parts import split_rule
from tain_lab.randomness import stream
from tain_lab.training_data import chunks

__all__ = [
    "DISTANCES",
    "Comparison",
    "RuleReport",
    "compare",
    "distances_of",
    "energy",
    "keep_rule",
    "mmd",
    "sinkhorn",
    "sliced",
]

MOST_ROWS = 1000
"""Rows compared at once at the most: the distances cost its square."""


@attrs.frozen
class RuleReport:
    """How samples keep a rule.

    Attributes:
        count: samples looked at.
        outside: share of them outside the set: for several rules, outside of one of them by that one's own tolerance.
        mean_distance, largest_distance: of a sample to the set.
        tolerance: distance up to which a sample counts as inside.
    """

    count: int
    outside: float
    mean_distance: float
    largest_distance: float
    tolerance: float


@attrs.frozen
class Comparison:
    """One distance to the held-out rows, over several random subsets of equal size.

    Attributes:
        median, low, high: of the distance; low and high are the 5% and 95% quantiles.
        rows: rows in each of the two sets compared.
    """

    median: float
    low: float
    high: float
    rows: int


def keep_rule(samples: Tensor, constraint: Constraint) -> RuleReport:
    """The share of samples (B, *S) outside the set, and their distances to it, at the constraint's own tolerance."""
    distance = distances_of(samples, constraint)
    tolerance = constraint.tolerance(samples.dtype)
    outside = [
        ~(distances_of(samples[:, part.columns], part.rule) <= part.rule.tolerance(samples.dtype))
        for part in split_rule(constraint)
    ]
    return RuleReport(
        count=len(samples),
        outside=torch.stack(outside).any(0).double().mean().item(),
        mean_distance=distance.double().mean().item(),
        largest_distance=distance.max().item(),
        tolerance=tolerance,
    )


@torch.no_grad()
def distances_of(samples: Tensor, constraint: Constraint) -> Tensor:
    """The distance of each sample (B, *S) to the set, shape (B,), computed a few samples at a time."""
    return torch.cat([constraint.distance(samples[rows]) for rows in chunks(samples)])


def compare(
    candidates: dict[str, Tensor],
    held_out: Tensor,
    *,
    seed: int = 0,
    repeats: int = 20,
    one_unit: bool = False,
) -> dict[str, dict[str, Comparison]]:
    """All distances of each candidate set to the held-out rows, over random subsets of equal size.

    Columns are divided by their standard deviation among the held-out rows, so that none counts for its unit.

    Args:
        candidates: rows by name, each (N_i, C); give the real training rows as one of them.
        held_out: (M, C).
        seed: chooses the subsets and the directions of the sliced distance.
        repeats: number of subsets.
        one_unit: all columns are in one unit, as the pixels of an image are. They are then divided by the root mean
            square of their standard deviations: a pixel that hardly varies shall not count as much as all others.

    Returns:
        For each distance, for each candidate, the median over the subsets and its spread.
    """
    rows = min(len(held_out), MOST_ROWS, *(len(candidate) for candidate in candidates.values()))
    deviation = held_out.double().std(dim=0, correction=0)
    if one_unit:
        deviation = deviation.square().mean().sqrt().expand_as(deviation)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    scaled = {name: candidate.double() / deviation for name, candidate in candidates.items()}
    target = held_out.double() / deviation
    results: dict[str, dict[str, list[float]]] = {name: {key: [] for key in scaled} for name in DISTANCES}
    for repeat in range(repeats):
        reference = _subset(target, rows, stream(seed, "held out", repeat))
        for key, candidate in scaled.items():
            subset = _subset(candidate, rows, stream(seed, "candidate", repeat))
            for name, distance in DISTANCES.items():
                results[name][key].append(distance(subset, reference))
    return {
        name: {key: _summary(values, rows) for key, values in by_candidate.items()}
        for name, by_candidate in results.items()
    }


def energy(x: Tensor, y: Tensor) -> float:
    """The energy distance, E|X - Y| - E|X - X'| / 2 - E|Y - Y'| / 2, of rows (N, C) and (M, C).

    Source: Energy statistics: a class of statistics based on distances (Székely, Rizzo 2013),
    https://doi.org/10.1016/j.jspi.2013.03.018
    """
    return float(SamplesLoss("energy", backend="tensorized")(x, y))


def sinkhorn(x: Tensor, y: Tensor) -> float:
    """The debiased Sinkhorn divergence with half the squared distance as the cost and a blur of 0.05.

    Source: Interpolating between Optimal Transport and MMD using Sinkhorn Divergences, https://arxiv.org/abs/1810.08278
    """
    return float(SamplesLoss("sinkhorn", p=2, blur=0.05, backend="tensorized")(x, y))


def sliced(x: Tensor, y: Tensor) -> float:
    """The sliced 1-Wasserstein distance of rows (N, C), (N, C): the mean over 200 directions, the same at every call.

    Source: Sliced and Radon Wasserstein Barycenters of Measures, https://doi.org/10.1007/s10851-014-0506-3
    """
    directions = torch.randn(x.shape[1], 200, dtype=x.dtype, generator=stream(0, "directions"))
    directions = directions / directions.norm(dim=0)
    return float(((x @ directions).sort(dim=0).values - (y @ directions).sort(dim=0).values).abs().mean())


def mmd(x: Tensor, y: Tensor) -> float:
    """The maximum mean discrepancy with a Gaussian kernel as wide as the median distance between the rows of y.

    Source: A Kernel Two-Sample Test, https://jmlr.org/papers/v13/gretton12a.html
    """
    width = torch.pdist(y).median()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * width**2)).mean()

    squared = kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
    return float(squared.clamp_min(0).sqrt())  # it is a squared norm; rounding may carry it just below zero


DISTANCES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "energy distance": energy,
    "Sinkhorn divergence": sinkhorn,
    "sliced Wasserstein": sliced,
    "MMD": mmd,
}


def _subset(rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=rng)[:count]]


def _summary(values: list[float], rows: int) -> Comparison:
    low, median, high = torch.tensor(values).quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
    return Comparison(median=median, low=low, high=high, rows=rows)
