"""Langevin dynamics of the density of the mirror images: constant noise, and no Hessian of the potential."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Bijective, Field, MissingCapabilityError, Target, supports
from tain.capabilities import lacking
from tain_langevin.chains import MarkovChains
from tain_langevin.density import LogDensity
from tain_langevin.langevin_walk import LangevinWalk, State
from tain_langevin.scatter import scatter
from tain_langevin.step_size import StepSize
from tain_langevin.walk import Walk

__all__ = ["DualLangevin"]

_SHARES = (0.3, 0.6)  # of the pilots' steps, after which they take another covariance


@final
class DualLangevin(MarkovChains):
    """Langevin dynamics in the mirror space, dY = grad log q(Y) dt + sqrt(2) dW, for any bijective mirror map.

    q is the density of mirror images, log q(y) = log_prob(x) - log_det(x) at x = inverse(y). It lives on all of R^m,
    so ordinary Langevin dynamics apply, and every sample comes back inside the set. With the Metropolis decision
    (`adjusted`) that is MALA, exact for every step size.

    It works where mirror Langevin dynamics are stiff or do not exist: near a boundary of the set that the density
    piles up at, as the Dirichlet density with concentrations below 1 does.

    Sources:
        Mirrored Langevin Dynamics, https://arxiv.org/abs/1802.10174
        Exponential convergence of Langevin distributions and their discrete approximations,
        https://doi.org/10.2307/3318418

    Args:
        chains, draws, warmup, thin, start: see `MarkovChains`, as for what it returns and refuses.
        step_size: h, in the mirror space; by default it is found by pilot chains.
        adjusted: whether a Metropolis decision is made. Without, the density is off by an error of order h.
        acceptance: mean acceptance probability that the pilots aim at. Where no decision is made, it measures the
            error of a step all the same: take 0.9 or more.
        preconditioned: whether pilots find a rough covariance S of the mirror images as well, so that steps are
            y' = y + h S grad log q(y) + sqrt(2 h) L xi, with S = L L'.

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit, or the warm-up is too short to find a
            step size.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Identity
        >>> solver = DualLangevin(chains=20, draws=500, start=torch.zeros(1, 2))
        >>> found = solver.solve(tain.Target(lambda x: -x.square().sum(1) / 8, Identity()), rng=0)
        >>> found.result.shape, found.result.std().round(decimals=1)
        (torch.Size([10000, 2]), tensor(2.))
    """

    def __init__(
        self,
        chains: Annotated[int, Field("chains side by side", at_least=1)] = 64,
        draws: Annotated[int, Field("samples of each chain", at_least=1)] = 1000,
        warmup: Annotated[int, Field("steps before the first sample", at_least=0)] = 500,
        thin: Annotated[int, Field("steps from sample to sample", at_least=1)] = 1,
        step_size: Annotated[float | None, Field("h; by default found by pilots", above=0, below=math.inf)] = None,
        adjusted: Annotated[bool, Field("whether to make a Metropolis decision")] = True,
        acceptance: Annotated[float, Field("acceptance probability to aim at", above=0, below=1)] = 0.574,
        preconditioned: Annotated[bool, Field("whether pilots find a matrix of step sizes")] = True,
        start: Annotated[Tensor | None, Field("points inside the set")] = None,
    ):
        super().__init__(chains, draws, warmup, thin, start, tuned=step_size is None)
        self.step_size = step_size
        self.adjusted = adjusted
        self.acceptance = acceptance
        self.preconditioned = preconditioned

    def walk(self, problem: Target, x: Tensor) -> "_DualWalk":
        mirror = problem.mirror
        if not supports(mirror, Bijective):
            raise MissingCapabilityError(
                f"DualLangevin: the mirror map, {lacking(mirror, Bijective)}, is not Bijective, so the density "
                "of its images is not known. Take another map of the set, such as a Legendre one."
            )
        size = StepSize(self.step_size, self.acceptance)
        return _DualWalk(mirror, LogDensity(problem, x), x, size, self.adjusted, self.preconditioned)


@final
class _DualWalk(LangevinWalk):
    """It moves in z = L^-1 y."""

    def __init__(
        self,
        mirror: Bijective,
        log_prob: LogDensity,
        x: Tensor,
        size: StepSize,
        adjusted: bool,
        preconditioned: bool,
    ):
        self._mirror, self._log_prob, self._preconditioned = mirror, log_prob, preconditioned
        y = mirror(x)
        self._shape, size_of_y = y.shape[1:], y[0].numel()
        self._scale = torch.eye(size_of_y).to(y)
        self._seen: list[Tensor] = []
        self._steps = 0
        super().__init__(y.flatten(1), size, adjusted)

    def at(self, y: Tensor) -> State:
        with torch.enable_grad():
            z = y.detach().requires_grad_()
            x = self._mirror.inverse((z @ self._scale.mT).reshape(-1, *self._shape))
            log_density = self._log_prob(x) - self._mirror.log_det(x)
            (drift,) = torch.autograd.grad(log_density.sum(), z)
        return State(z.detach(), x.detach(), log_density.detach(), drift)

    def adapt(self, acceptance: Tensor, left: int) -> None:
        super().adapt(acceptance, left)
        self._steps += 1
        if not self._preconditioned or self._steps > _SHARES[-1] * (self._steps + left):
            return
        self._seen.append(self._state.y @ self._scale.mT)
        if self._steps in [int(share * (self._steps + left)) for share in _SHARES]:
            late = torch.cat(self._seen[len(self._seen) // 3 :])  # the first third comes from the start
            self._move(torch.linalg.cholesky(scatter(late)))
            self._seen = []
            self._size.restart()

    def tune(self, pilots: Walk) -> None:
        assert isinstance(pilots, _DualWalk)
        super().tune(pilots)
        self._move(pilots._scale)

    def _move(self, scale: Tensor) -> None:
        """Other coordinates z of the same points."""
        y = self._state.y @ self._scale.mT
        self._scale = scale
        self._state = self.at(torch.linalg.solve_triangular(scale, y.mT, upper=False).mT)
