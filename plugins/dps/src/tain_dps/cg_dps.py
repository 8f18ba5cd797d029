"""Constraint-guided diffusion posterior sampling."""

import math
from typing import Annotated, final

from torch import Tensor

from tain import ConfigurationError, Field, Posterior
from tain_dps.dps import Zeta, require_plain
from tain_dps.dps_step import TESTING, dps_step
from tain_dps.likelihood import Likelihood
from tain_dps.reverse_process import Level
from tain_dps.sampler import Eta, Guided, PosteriorSampler, RowsAtOnce, Steps

__all__ = ["CGDPS"]


@final
class CGDPS(PosteriorSampler):
    """DPS, with the distance to the constraint's set as a further term of the likelihood.

    Each step is that of DPS, and zeta weight times the gradient of the distance down. That draws samples towards the
    set; nothing makes them reach it, as a mirror map does. The weight suits a distance that is a mean over the many
    numbers of an image, whose gradient is short; of few numbers it must be much smaller.

    Sources:
        Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816 (its baseline
        of that name, of weight 200)
        Diffusion Posterior Sampling for General Noisy Inverse Problems, https://arxiv.org/abs/2209.14687

    Args:
        weight: of the distance.
        zeta: weight of the likelihood in each step.
        steps, eta, rows_at_once: see `PosteriorSampler`.

    Raises:
        ConfigurationError: a problem has no constraint, or its prior is in a mirror space.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Gaussian
        >>> @tain.constraint("equal", event_ndim=1)
        ... def equal(x):
        ...     return (x[:, 0] - x[:, 1]).abs()
        >>> prior = Gaussian((0.0, 0.0), (1.0, 1.0))
        >>> problem = tain.Posterior(torch.full((64, 1), 2.0), lambda x: x[:, :1], 0.1, prior, equal)
        >>> far, near = (CGDPS(weight, zeta=0.1).solve(problem, rng=0).statistics for weight in (0, 1))
        >>> bool(near["constraint_distance"].mean() < far["constraint_distance"].mean())
        True
    """

    testing = TESTING
    remedy = "Lower 'zeta' or 'weight'."

    def __init__(
        self,
        weight: Annotated[float, Field("weight of the distance to the set", at_least=0, below=math.inf)] = 200.0,
        zeta: Zeta = 1.0,
        steps: Steps = 200,
        eta: Eta = 1.0,
        rows_at_once: RowsAtOnce = None,
    ):
        super().__init__(steps, eta, rows_at_once)
        self.weight, self.zeta = weight, zeta

    def require(self, problem: Posterior) -> None:
        require_plain(problem, "CGDPS")
        if problem.constraint is None:
            raise ConfigurationError("CGDPS: the problem has no 'constraint' to be guided by. Give one, or use DPS.")

    def guided(self, likelihood: Likelihood, y_t: Tensor, level: Level) -> Guided:
        rule = likelihood.constraint
        assert rule is not None  # see `require`
        return dps_step(likelihood, y_t, level, self.zeta, penalty=lambda x: self.weight * rule.distance(x))
