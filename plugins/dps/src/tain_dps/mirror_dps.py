"""Diffusion posterior sampling in a mirror space."""

from typing import final

from torch import Tensor

from tain_dps.dps import Zeta
from tain_dps.dps_step import TESTING, dps_step
from tain_dps.likelihood import Likelihood
from tain_dps.reverse_process import Level
from tain_dps.sampler import Eta, Guided, PosteriorSampler, RowsAtOnce, Steps

__all__ = ["MirrorDPS"]


@final
class MirrorDPS(PosteriorSampler):
    """DPS in the space of a mirror map, with the likelihood of what the map's inverse makes of the denoised image.

    So each sample is an output of the map's inverse, and keeps the rule as exactly as those do: exact, learned or
    refined maps, one after the other if the prior is mirrored several times. A plain prior is one of the identity: of
    it this is DPS.

    Sources:
        Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816 (section 3.3)
        Diffusion Posterior Sampling for General Noisy Inverse Problems, https://arxiv.org/abs/2209.14687

    Args:
        zeta: weight of the likelihood in each step.
        steps, eta, rows_at_once: see `PosteriorSampler`.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Gaussian, Identity
        >>> prior = tain.Mirrored(Identity(), Gaussian((0.0, 0.0), (1.0, 1.0)))
        >>> problem = tain.Posterior(torch.full((4, 1), 2.0), lambda x: x[:, :1], 0.1, prior)
        >>> MirrorDPS().solve(problem, rng=0).statistics["constraint_distance"]
        tensor([0., 0., 0., 0.])
    """

    testing = TESTING
    remedy = "Lower 'zeta'."

    def __init__(self, zeta: Zeta = 1.0, steps: Steps = 200, eta: Eta = 1.0, rows_at_once: RowsAtOnce = None):
        super().__init__(steps, eta, rows_at_once)
        self.zeta = zeta

    def guided(self, likelihood: Likelihood, y_t: Tensor, level: Level) -> Guided:
        return dps_step(likelihood, y_t, level, self.zeta)
