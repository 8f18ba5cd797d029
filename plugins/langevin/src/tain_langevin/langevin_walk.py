"""Steps of Langevin dynamics in the mirror space, with or without a Metropolis decision.

From y, with drift b(y) and a factor of the noise's covariance, C(y) C(y)' = D(y), the proposal is

    y' = y + h b(y) + sqrt(2 h) C(y) xi          xi normal

so that its density is known in both directions. It is accepted with probability min(1, q(y') p(y | y') / (q(y)
p(y' | y))), q being the density in the mirror space, which makes the chain exact for every step size.

With the decision, h b(y) is cut to the usual length of the noise. Else a chain whose gradient is steep for the step
size, as it may be where it starts, would overshoot each time, and be refused for ever.

Sources:
    Exponential convergence of Langevin distributions and their discrete approximations,
    https://doi.org/10.2307/3318418
    Fast sampling from constrained spaces using the Metropolis-adjusted Mirror Langevin algorithm,
    https://arxiv.org/abs/2312.08823
"""

import abc
import math

import attrs
import torch
from torch import Tensor

from tain_langevin.step_size import StepSize
from tain_langevin.walk import Walk

__all__ = ["LangevinWalk", "State"]


@attrs.frozen(eq=False)
class State:
    """Where chains are, and what a step from there needs.

    Attributes:
        y: mirror images as vectors, (C, m).
        x: the points of the set, (C, *S).
        log_density: log q(y) up to a constant, (C,).
        drift: b(y), (C, m).
        factor: C(y), lower triangular, (C, m, m), or None for the unit matrix.
    """

    y: Tensor
    x: Tensor
    log_density: Tensor
    drift: Tensor
    factor: Tensor | None = None

    def times(self, noise: Tensor) -> Tensor:
        """C(y) xi: (C, m) to (C, m)."""
        return noise if self.factor is None else (self.factor @ noise[..., None])[..., 0]

    def noise_of(self, move: Tensor) -> Tensor:
        """The xi of a move C(y) xi: (C, m) to (C, m)."""
        if self.factor is None:
            return move
        return torch.linalg.solve_triangular(self.factor, move[..., None], upper=False)[..., 0]

    def log_volume(self) -> Tensor:
        """log det C(y): (C,), or zeros."""
        if self.factor is None:
            return torch.zeros_like(self.log_density)
        return self.factor.diagonal(dim1=1, dim2=2).log().sum(1)

    def finite(self) -> Tensor:
        """Whether all of a row is finite: booleans (C,)."""
        parts = [self.x, self.log_density, self.drift] + ([] if self.factor is None else [self.factor])
        return torch.stack([part.unsqueeze(-1).flatten(1).isfinite().all(1) for part in parts]).all(0)

    def where(self, chosen: Tensor, other: "State") -> "State":
        """These rows where `chosen`, else the other's."""

        def pick(a: Tensor, b: Tensor) -> Tensor:
            return torch.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b)

        parts = {name: pick(getattr(self, name), getattr(other, name)) for name in ("y", "x", "log_density", "drift")}
        both = None if self.factor is None or other.factor is None else pick(self.factor, other.factor)
        return State(**parts, factor=both)


class LangevinWalk(Walk, abc.ABC):
    """Chains that follow some Langevin dynamics in the mirror space.

    Args:
        y: the start, (C, m).
        size: the step size.
        adjusted: whether a Metropolis decision is made; else all finite proposals are taken, and the probability is
            only told.
    """

    def __init__(self, y: Tensor, size: StepSize, adjusted: bool):
        self._size, self._adjusted = size, adjusted
        self._state = self.at(y)
        self.normals, self.uniforms = y.shape[1], 1
        self.refused = torch.zeros(len(y), dtype=torch.long, device=y.device)

    @abc.abstractmethod
    def at(self, y: Tensor) -> State:
        """What a step from y, (C, m), needs; not finite where the density or its gradient is not."""

    @property
    def x(self) -> Tensor:  # type: ignore[override]  # it follows from the state
        return self._state.x

    @property
    def step_size(self) -> float:  # type: ignore[override]  # it is being learnt
        return float(self._size.value)

    def adapt(self, acceptance: Tensor, left: int) -> None:
        self._size.adapt(acceptance, left)

    def tune(self, pilots: Walk) -> None:
        assert isinstance(pilots, LangevinWalk)
        self._size = pilots._size

    def step(self, normal: Tensor, uniform: Tensor) -> Tensor:
        now, h = self._state, self.step_size
        new = self.at(now.y + self._drifted(now) + math.sqrt(2 * h) * now.times(normal))
        back = new.noise_of((now.y - new.y - self._drifted(new)) / math.sqrt(2 * h))
        forth_log = -normal.square().sum(1) / 2 - now.log_volume()
        back_log = -back.square().sum(1) / 2 - new.log_volume()
        return self._decide(new, new.log_density + back_log - now.log_density - forth_log, uniform)

    def _drifted(self, state: State) -> Tensor:
        """h b(y), (C, m); with a decision, no longer than the noise usually is, in its own metric (MALTA)."""
        h = self.step_size
        if not self._adjusted:
            return h * state.drift
        length = math.sqrt(h / 2) * state.noise_of(state.drift).norm(dim=1, keepdim=True)
        longest = math.sqrt(state.drift.shape[1])
        return h * state.drift * (longest / length.clamp(min=longest))

    def _decide(self, new: State, log_ratio: Tensor, uniform: Tensor) -> Tensor:
        finite = new.finite() & ~log_ratio.isnan()
        acceptance = torch.where(finite, log_ratio.clamp(max=0).exp(), 0)
        taken = uniform[:, 0] < acceptance if self._adjusted else finite
        self._state = new.where(taken, self._state)
        self.refused = self.refused + ~finite
        return acceptance
