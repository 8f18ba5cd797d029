"""Projected Langevin dynamics: a step of ordinary Langevin dynamics, and back to the nearest point of the set."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, MissingCapabilityError, Projectable, Target, supports
from tain.capabilities import lacking
from tain_langevin.chains import MarkovChains
from tain_langevin.density import LogDensity
from tain_langevin.walk import Walk

__all__ = ["ProjectedLangevin"]


@final
class ProjectedLangevin(MarkovChains):
    """x' = project(x + h grad log p(x) + sqrt(2 h) xi): a baseline that needs a projection, and no mirror map.

    The density that it samples is off by an error of order sqrt(h) or so: of its draws, a share lies on the boundary.
    Where p or its gradient is infinite there, so is the next step; it is not taken then. `inset` takes the gradient a
    little inside instead.

    Source: Sampling from a log-concave distribution with Projected Langevin Monte Carlo,
    https://arxiv.org/abs/1507.02564

    Args:
        chains, draws, warmup, thin, start: see `MarkovChains`, as for what it returns and refuses.
        step_size: h, in units of x squared.
        inset: the gradient is taken this share of the way from x to the chain's start.

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> import tain, torch
        >>> from tain_analytic import Box
        >>> target = tain.Target(lambda x: -x.square().sum(1) / 2, tain.mirror_for(Box((0.0,), (1.0,))))
        >>> ProjectedLangevin(step_size=0.01, chains=4, draws=10).solve(target, rng=0).result.shape
        torch.Size([40, 1])
    """

    def __init__(
        self,
        step_size: Annotated[float, Field("h, in units of x squared", above=0, below=math.inf)],
        chains: Annotated[int, Field("chains side by side", at_least=1)] = 64,
        draws: Annotated[int, Field("samples of each chain", at_least=1)] = 1000,
        warmup: Annotated[int, Field("steps before the first sample", at_least=0)] = 500,
        thin: Annotated[int, Field("steps from sample to sample", at_least=1)] = 1,
        inset: Annotated[float, Field("share of the way to the start", at_least=0, below=1)] = 0.0,
        start: Annotated[Tensor | None, Field("points inside the set")] = None,
    ):
        super().__init__(chains, draws, warmup, thin, start, tuned=False)
        self.step_size = step_size
        self.inset = inset

    def walk(self, problem: Target, x: Tensor) -> "_ProjectedWalk":
        rule = problem.mirror.constraint
        if not supports(rule, Projectable):
            raise MissingCapabilityError(
                f"ProjectedLangevin: the constraint, {lacking(rule, Projectable)}, is not Projectable. "
                "Take another solver, such as 'dual-langevin'."
            )
        return _ProjectedWalk(rule, LogDensity(problem, x), x, self.step_size, self.inset)


@final
class _ProjectedWalk(Walk):
    def __init__(self, rule: Projectable, log_prob: LogDensity, x: Tensor, step_size: float, inset: float):
        self._rule, self._log_prob, self._start, self._inset = rule, log_prob, x, inset
        self.x, self._slope = x, log_prob.value_and_gradient(x)[1]
        self.normals, self.uniforms = x[0].numel(), 0
        self.step_size = step_size
        self.refused = torch.zeros(len(x), dtype=torch.long, device=x.device)

    def step(self, normal: Tensor, uniform: Tensor) -> Tensor:
        h = self.step_size
        new = self._rule.project(self.x + h * self._slope + math.sqrt(2 * h) * normal.reshape(self.x.shape)).detach()
        slope = self._log_prob.value_and_gradient(torch.lerp(new, self._start, self._inset))[1]
        finite = (slope.isfinite() & new.isfinite()).flatten(1).all(1)
        chosen = finite.reshape(-1, *[1] * (new.ndim - 1))
        self.x, self._slope = torch.where(chosen, new, self.x), torch.where(chosen, slope, self._slope)
        self.refused = self.refused + ~finite
        return finite.to(new.dtype)
