"""How the gradient of an expected statistic E[s(y)] of a model's samples y is estimated, by name.

    score       E[(s(y) - v) grad log p(y)], with minus the loss in the place of log p: for every generator and every
                statistic, even one that only counts. It is unbiased where the loss is -log p; v, the value that the
                rule asks for, only lowers its variance. Where the loss is a bound on -log p (diffusion, flow matching,
                VAE), it is the gradient of the bound: the same surrogate as for the divergences, and in its unit.
    pathwise    E[grad s(y)] through y itself: for generators whose `sample` passes gradients, and differentiable s.
                Those of tain-diffusion and tain-vae sample without gradients, and are refused.
    denoised    E[grad s(E[y_0 given y_t])] at samples that are made noisy again: for diffusion models, and
                differentiable s. The gradient passes one evaluation of the network instead of a whole sampling. Where
                s is not linear it is biased, since s of a mean is not the mean of s.

Each gives the statistic at fresh samples, (B,), and terms (B,) whose mean has that gradient, times the rule's sign.
Source of the first: Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning
(Williams 1992), https://doi.org/10.1007/BF00992696
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tain import Denoiser, Generator
from tain.errors import MissingCapabilityError, ShapeError
from tain.randomness import standard_normal, uniform
from tain_dual.expectations import EstimatorName, Expectation

__all__ = ["ESTIMATORS", "statistics_of"]

BringBack = Callable[[Tensor], Tensor]
Estimator = Callable[[Generator, BringBack, Expectation, int, torch.Generator], tuple[Tensor, Tensor]]


def statistics_of(rule: Expectation, x: Tensor) -> Tensor:
    """The rule's statistic at samples x (B, *S): (B,).

    Raises:
        ShapeError: it is not one number a sample.
    """
    found = rule.statistic(x)
    if found.shape != (len(x),):
        raise ShapeError(
            f"{rule.name}: the statistic of {len(x)} samples has shape {tuple(found.shape)}, but must have "
            f"({len(x)},): one number a sample."
        )
    return found


def _score(
    generator: Generator, samples: BringBack, rule: Expectation, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        y = generator.sample(n, rng=rng)
        found = statistics_of(rule, samples(y))
    return found, -rule.excess(found) * generator(y, rng)


def _pathwise(
    generator: Generator, samples: BringBack, rule: Expectation, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    found = statistics_of(rule, samples(generator.sample(n, rng=rng)))
    if not found.requires_grad:
        raise MissingCapabilityError(
            f"{rule.name}: no gradient passes from {type(generator).__name__}.sample through the statistic, which the "
            "estimator 'pathwise' needs. Use 'score'."
        )
    return found, rule.sign * (found - rule.value)


def _denoised(
    generator: Generator, samples: BringBack, rule: Expectation, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    if not isinstance(generator, Denoiser):
        raise MissingCapabilityError(
            f"{rule.name}: the estimator 'denoised' needs a diffusion model (a tain.Denoiser), but "
            f"{type(generator).__name__} is none. Use 'score'."
        )
    with torch.no_grad():
        y = generator.sample(n, rng=rng)
        found = statistics_of(rule, samples(y))
        t = uniform((n,), rng, like=y)
        alpha, sigma = (factor(t).view(-1, *(1,) * (y.ndim - 1)) for factor in (generator.alpha, generator.sigma))
        y_t = alpha * y + sigma * generator.scale * standard_normal(tuple(y.shape), rng, like=y)
    clean = statistics_of(rule, samples(generator.denoise(y_t, t)))
    if not clean.requires_grad:
        raise MissingCapabilityError(
            f"{rule.name}: no gradient passes through the statistic, which the estimator 'denoised' needs. Use "
            "'score', or share_of(..., soft=True)."
        )
    return found, rule.sign * (clean - rule.value)


ESTIMATORS: Mapping[EstimatorName, Estimator] = {"score": _score, "pathwise": _pathwise, "denoised": _denoised}
