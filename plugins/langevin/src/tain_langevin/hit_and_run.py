"""Hit-and-run: to a random place on a random chord of the set."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Legendre, Projectable, Target, supports
from tain.rows import per_row
from tain_langevin.chains import MarkovChains
from tain_langevin.coordinates import Coordinates
from tain_langevin.density import LogDensity
from tain_langevin.walk import Walk

__all__ = ["HitAndRun"]

_DOUBLINGS, _TRIES = 20, 64


@final
class HitAndRun(MarkovChains):
    """Each step draws a direction, and a place on the chord through x along it: exact, without a gradient or step size.

    Of a uniform density the place is uniform on the chord. Of another, it is so among the places where p is above a
    random share of p(x), which are found by shrinking the chord towards x (slice sampling). The chord's ends need not
    be known: a bracket is doubled until both its ends are outside of the set, at most up to a million times the rule's
    scale.

    The set has to be convex. Directions lie in its affine hull if the mirror map is Legendre; else the set must have an
    interior of its own.

    Sources:
        Efficient Monte Carlo procedures for generating points uniformly distributed over bounded regions,
        https://doi.org/10.1287/opre.32.6.1296
        Slice sampling, https://doi.org/10.1214/aos/1056562461

    Args:
        chains, draws, warmup, thin, start: see `MarkovChains`, as for what it returns and refuses.

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Identity
        >>> solver = HitAndRun(chains=100, draws=50, warmup=20, start=torch.zeros(1, 2))
        >>> found = solver.solve(tain.Target(lambda x: -x.square().sum(1) / 8, Identity()), rng=0)
        >>> found.result.shape, found.result.std().round(decimals=1)
        (torch.Size([5000, 2]), tensor(2.))
    """

    def __init__(
        self,
        chains: Annotated[int, Field("chains side by side", at_least=1)] = 64,
        draws: Annotated[int, Field("samples of each chain", at_least=1)] = 1000,
        warmup: Annotated[int, Field("steps before the first sample", at_least=0)] = 100,
        thin: Annotated[int, Field("steps from sample to sample", at_least=1)] = 1,
        start: Annotated[Tensor | None, Field("points inside the set")] = None,
    ):
        super().__init__(chains, draws, warmup, thin, start, tuned=False)

    def walk(self, problem: Target, x: Tensor) -> "_ChordWalk":
        return _ChordWalk(problem, LogDensity(problem, x), x)


@final
class _ChordWalk(Walk):
    def __init__(self, problem: Target, log_prob: LogDensity, x: Tensor):
        mirror, self._rule, self._log_prob = problem.mirror, problem.mirror.constraint, log_prob
        self._coordinates = Coordinates(mirror, tuple(x.shape[1:])) if supports(mirror, Legendre) else None
        self.x, self._value = x, log_prob(x).detach()
        self.normals = x[0].numel() if self._coordinates is None else self._coordinates.size
        self.uniforms = 1 + _TRIES
        self.step_size = math.nan
        self.refused = torch.zeros(len(x), dtype=torch.long, device=x.device)
        self._flat, self._moved = self.normals < x[0].numel(), False

    def step(self, normal: Tensor, uniform: Tensor) -> Tensor:
        x, value, waiting = self.x, self._value, torch.ones_like(self._value, dtype=torch.bool)
        direction = self._direction(normal / normal.norm(dim=1, keepdim=True))
        low, high = -self._outside(-direction), self._outside(direction)
        level = value + (1 - uniform[:, 0]).log()
        for share in uniform[:, 1:].T:
            t = torch.lerp(low, high, share)
            tried = self.x + per_row(t, x) * direction
            inside = self._rule.contains(tried)
            found = self._log_prob(torch.where(per_row(inside, x), tried, self.x)).detach()
            taken = waiting & inside & (found >= level)
            x, value = torch.where(per_row(taken, x), tried, x), torch.where(taken, found, value)
            waiting = waiting & ~taken
            if not bool(waiting.any()):
                break
            low, high = torch.where(t < 0, t, low), torch.where(t < 0, high, t)
        self._require_chords(x)
        if self._flat and supports(self._rule, Projectable):  # rounding would add up until the plane is left
            x = self._rule.project(x).detach()
        self.x, self._value = x, value
        return (~waiting).to(x.dtype)

    def _direction(self, u: Tensor) -> Tensor:
        event = tuple(self.x.shape[1:])
        return u.reshape(-1, *event) if self._coordinates is None else self._coordinates.direction(u, event)

    def _outside(self, direction: Tensor) -> Tensor:
        """How far along its direction each x is outside of the set for sure, (C,)."""
        far = torch.full_like(self._value, self._rule.scale)
        for _ in range(_DOUBLINGS):
            inside = self._rule.contains(self.x + per_row(far, self.x) * direction)
            if not bool(inside.any()):
                break
            far = torch.where(inside, 2 * far, far)
        return far

    def _require_chords(self, x: Tensor) -> None:
        """Refuse sets without an interior: within the tolerance, lines through them go on for its square root or so."""
        if not self._moved and self._coordinates is None:
            longest = float((x - self.x).flatten(1).norm(dim=1).max())
            if longest < 4 * math.sqrt(self._rule.tolerance(x.dtype) * self._rule.scale):
                raise ConfigurationError(
                    f"HitAndRun: no line through a start was found to go on for more than {longest:.3g} within "
                    f"{type(self._rule).__name__}. If the set is flat, give a Legendre map, which tells its "
                    "directions; a surface has no chords."
                )
        self._moved = True
