"""Checks of generators whose density is known, in one dimension."""

import math
from typing import Any

import torch
from torch import Tensor

from tain.errors import MissingCapabilityError
from tain.generators import Density, Generator
from tain.mirrored import Mirrored
from tain.testing.checks import check
from tain.testing.compare import rows_of
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial

__all__: list[str] = []

_GRID, _SAMPLES = 20001, 4096


@check(Generator, once=True)
def log_prob_integrates_to_one(generator: Generator, trial: Trial) -> None:
    """exp(log_prob) integrates to 1 (of samples with one entry)."""
    grid, density, _ = _on_a_line(generator, trial)
    total = float(torch.trapezoid(density, grid))
    if not abs(total - 1) <= 0.01:
        raise CheckError(f"exp(log_prob): integrates to {total:.4g}, but must to 1, up to 0.01.")


@check(Generator, once=True)
def samples_follow_log_prob(generator: Generator, trial: Trial) -> None:
    """Samples have the distribution that log_prob tells (of samples with one entry)."""
    grid, density, samples = _on_a_line(generator, trial)
    expected = torch.cumulative_trapezoid(density, grid)
    below = torch.searchsorted(samples.sort().values, grid[1:], right=True) / _SAMPLES
    error, limit = float((below - expected).abs().max()), 2 / math.sqrt(_SAMPLES)  # Kolmogorov's, at odds of 1 to 1000
    if not error <= limit:
        raise CheckError(f"the share of samples below a value: is off by {error:.4g}, but must by {limit:.4g} at most.")


def _on_a_line(generator: Any, trial: Trial) -> tuple[Tensor, Tensor, Tensor]:
    """A grid over all samples, the density on it, and samples, each (n,)."""
    if not isinstance(generator, Density | Mirrored):
        raise NotApplicable(f"{type(generator).__name__} is not Density")
    if math.prod(generator.event_shape) != 1:
        raise NotApplicable(f"samples have {math.prod(generator.event_shape)} entries; only one can be integrated over")
    samples = rows_of(generator.sample(_SAMPLES, rng=trial.rng()))[:, 0]
    width, rule = float(samples.std()), trial.subject.constraint
    low, high = float(samples.min()) - 10 * width, float(samples.max()) + 10 * width
    grid = torch.linspace(low, high, _GRID, dtype=torch.float64)
    column = grid.to(trial.dtype).reshape(-1, *generator.event_shape)
    within = torch.ones(_GRID, dtype=torch.bool) if rule is None else rule.contains(column)
    density = torch.zeros(_GRID, dtype=torch.float64)
    try:
        density[within] = generator.log_prob(column[within]).detach().double().exp()
    except MissingCapabilityError as cause:
        raise NotApplicable(str(cause)) from cause
    return grid, density, samples
