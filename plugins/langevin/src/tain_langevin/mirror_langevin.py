"""Mirror Langevin dynamics: the gradient step of mirror descent, and noise with the Hessian as its covariance."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Legendre, MissingCapabilityError, Target, supports
from tain.capabilities import lacking
from tain_langevin.chains import MarkovChains
from tain_langevin.coordinates import Coordinates
from tain_langevin.density import LogDensity
from tain_langevin.langevin_walk import LangevinWalk, State
from tain_langevin.step_size import StepSize

__all__ = ["MirrorLangevin"]


@final
class MirrorLangevin(MarkovChains):
    """Mirror Langevin dynamics, dY = grad log p(X) dt + sqrt(2 D(X)) dW, where Y = grad phi(X) and D = Hessian of phi.

    They are the Langevin dynamics of the set in the metric of phi, so they do not depend on an affine change of
    variables if phi does not, and converge as fast as p is convex relative to phi. With the Hessian's Cholesky factor
    D = C C', a step from x is

        y' = grad phi(x) + h grad log p(x) + sqrt(2 h) C(x) xi          x' = grad phi*(y')

    (Euler and Maruyama). `adjusted` makes a Metropolis decision, with the proposal's exact density, so that the chain
    is exact for every step size (MAMLA). Else `substeps` divides the noise, which then follows the Hessian on its way
    while the gradient is computed once: Ahn and Chewi's discretisation, which has no bias of the noise's own.

    Without the decision, steps near a boundary that the Hessian grows at slower than 1 / distance^2, as that of an
    entropy does, may be too long for any step size, and chains stay there; the statistics tell.

    Hessians are written out, so a step takes time and memory of m^2 to m^3 for m coordinates: see `Coordinates`, which
    takes 512 at most. Where p is infinite at the boundary, as a Dirichlet density with concentrations below 1 is,
    the dynamics reach the boundary, the Hessian is infinite there, and chains stick: use `DualLangevin`.

    Sources:
        Wasserstein Control of Mirror Langevin Monte Carlo, https://arxiv.org/abs/2002.04363
        Efficient constrained sampling via the mirror-Langevin algorithm, https://arxiv.org/abs/2010.16212 (MLA)
        Fast sampling from constrained spaces using the Metropolis-adjusted Mirror Langevin algorithm,
        https://arxiv.org/abs/2312.08823

    Args:
        chains, draws, warmup, thin, start: see `MarkovChains`, as for what it returns and refuses.
        step_size: h; by default it is found by pilot chains.
        adjusted: whether a Metropolis decision is made. Without, the density is off by an error of order h.
        substeps: parts of each step's noise. More than one have no known density, so neither a decision nor an
            acceptance probability: give 'step_size', and not 'adjusted'.
        acceptance: mean acceptance probability that the pilots aim at. Where no decision is made, it measures the
            error of a step all the same: take 0.9 or more.

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit; no step size is given for
            substeps; or a decision is wanted of several substeps.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Identity
        >>> solver = MirrorLangevin(chains=20, draws=500, start=torch.zeros(1, 2))
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
        substeps: Annotated[int, Field("parts of the noise of a step", at_least=1)] = 1,
        acceptance: Annotated[float, Field("acceptance probability to aim at", above=0, below=1)] = 0.574,
        start: Annotated[Tensor | None, Field("points inside the set")] = None,
    ):
        super().__init__(chains, draws, warmup, thin, start, tuned=step_size is None)
        if substeps > 1 and adjusted:
            raise ConfigurationError(
                f"MirrorLangevin: 'substeps' is {substeps}, but must be 1 where 'adjusted' is true, since the density "
                "of more is not known."
            )
        if step_size is None and substeps > 1:
            raise ConfigurationError("MirrorLangevin: with 'substeps' no step size is found. Give 'step_size'.")
        self.step_size = step_size
        self.adjusted = adjusted
        self.substeps = substeps
        self.acceptance = acceptance

    def walk(self, problem: Target, x: Tensor) -> "_MirrorWalk":
        mirror = problem.mirror
        if not supports(mirror, Legendre):
            raise MissingCapabilityError(
                f"MirrorLangevin: the mirror map, {lacking(mirror, Legendre)}, is not Legendre, so it has no "
                "Hessian. Take a map that is one, or, if it is Bijective, the solver 'dual-langevin'."
            )
        size = StepSize(self.step_size, self.acceptance)
        return _MirrorWalk(mirror, LogDensity(problem, x), x, size, self.adjusted, self.substeps)


@final
class _MirrorWalk(LangevinWalk):
    def __init__(
        self, mirror: Legendre, log_prob: LogDensity, x: Tensor, size: StepSize, adjusted: bool, substeps: int
    ):
        self._mirror, self._log_prob, self._substeps = mirror, log_prob, substeps
        self._coordinates = Coordinates(mirror, tuple(x.shape[1:]))
        y = mirror(x)
        self._shape = y.shape[1:]
        super().__init__(y.flatten(1), size, adjusted)
        self.normals *= substeps

    def at(self, y: Tensor) -> State:
        x = self._primal(y)
        log_prob, slope = self._log_prob.value_and_gradient(x)
        factor = self._factor(x)
        # log q(y) = log p(x) - log det D(x), the change of variables
        log_density = log_prob - 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
        return State(y, x, log_density, self._coordinates.gradient(slope), factor)

    def step(self, normal: Tensor, uniform: Tensor) -> Tensor:
        if self._substeps == 1:
            return super().step(normal, uniform)
        now, h = self._state, self.step_size
        y, scale = now.y + h * now.drift, math.sqrt(2 * h / self._substeps)
        for noise in normal.chunk(self._substeps, 1):  # dY = sqrt(2 D(X)) dW for a time h: step 2 of MLA
            y = y + scale * (self._factor(self._primal(y)) @ noise[..., None])[..., 0]
        return self._decide(self.at(y), torch.zeros_like(now.log_density), uniform)

    def _primal(self, y: Tensor) -> Tensor:
        y = torch.where(y.isfinite().all(1, keepdim=True), y, 0)  # a step that is not finite is refused by its factor
        return self._mirror.inverse(y.reshape(-1, *self._shape)).detach()

    def _factor(self, x: Tensor) -> Tensor:
        """C(x) with C C' = D(x): (C, *S) to (C, m, m); NaN where the Hessian is not positive or not finite."""
        hessian = self._coordinates.hessian(x)
        fine = hessian.flatten(1).isfinite().all(1)[:, None, None]
        factor, failed = torch.linalg.cholesky_ex(torch.where(fine, hessian, torch.eye(hessian.shape[1]).to(hessian)))
        return torch.where(fine & (failed == 0)[:, None, None], factor, torch.nan)
