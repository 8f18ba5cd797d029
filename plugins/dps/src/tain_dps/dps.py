"""Diffusion posterior sampling."""

import math
from typing import Annotated, final

from torch import Tensor

from tain import ConfigurationError, Field, Posterior
from tain.mirrored import Mirrored
from tain_dps.dps_step import TESTING, dps_step
from tain_dps.likelihood import Likelihood
from tain_dps.reverse_process import Level
from tain_dps.sampler import Eta, Guided, PosteriorSampler, RowsAtOnce, Steps

__all__ = ["DPS", "Zeta", "require_plain"]

Zeta = Annotated[float, Field("weight of the likelihood in each step", at_least=0, below=math.inf)]


@final
class DPS(PosteriorSampler):
    """Each step goes down the gradient of the misfit of the sample that the denoiser expects, as far as zeta / misfit.

    Fast and robust, but no sampler of the posterior: means and spreads are biased, the more so the fewer or the more
    exact the measurements are. The README has figures; `MomentMatching` does better for two to ten times the time.

    The pull of all steps grows with their number: the paper takes 1000, and zeta from 0.1 to 1. Its released code
    follows the gradient of |r|, half as long as that of |r|^2 / |r| in its algorithm, which is the one here.

    Source: Diffusion Posterior Sampling for General Noisy Inverse Problems, https://arxiv.org/abs/2209.14687

    Args:
        zeta: weight of the likelihood in each step.
        steps, eta, rows_at_once: see `PosteriorSampler`.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Gaussian
        >>> measurement = torch.full((4, 1), 2.0)  # four samples wanted
        >>> problem = tain.Posterior(measurement, lambda x: x[:, :1], 0.1, Gaussian((0.0, 0.0), (1.0, 1.0)))
        >>> solution = DPS().solve(problem, rng=0)
        >>> solution.result.shape, solution.statistics["diverged"]
        (torch.Size([4, 2]), 0)
    """

    testing = TESTING
    remedy = "Lower 'zeta'."

    def __init__(self, zeta: Zeta = 1.0, steps: Steps = 200, eta: Eta = 1.0, rows_at_once: RowsAtOnce = None):
        super().__init__(steps, eta, rows_at_once)
        self.zeta = zeta

    def require(self, problem: Posterior) -> None:
        require_plain(problem, "DPS")

    def guided(self, likelihood: Likelihood, y_t: Tensor, level: Level) -> Guided:
        return dps_step(likelihood, y_t, level, self.zeta)


def require_plain(problem: Posterior, owner: str) -> None:
    """Refuse a prior in a mirror space.

    Raises:
        ConfigurationError: the prior is `Mirrored`.
    """
    if isinstance(problem.prior, Mirrored):
        raise ConfigurationError(
            f"{owner}: the prior is Mirrored, but this method is that of a prior of the samples themselves. Use "
            "MirrorDPS or MomentMatching, which take the likelihood through the mirror map."
        )
