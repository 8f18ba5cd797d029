"""The way back from noise to data that all solvers here share: DDIM, from none of its noise (0) to ancestral steps (1).

It runs on the generator's own alpha(t) and sigma(t), in steps of even length in t, from time 1 to no noise at all.

Sources:
    Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    Denoising Diffusion Implicit Models, https://arxiv.org/abs/2010.02502
"""

import attrs
import torch
from torch import Tensor

from tain import Denoiser

__all__ = ["Level", "first", "levels", "spread_of", "step"]


@attrs.frozen
class Level:
    """How much signal and noise there is: y_t = alpha y_0 + sigma scale noise at time t."""

    t: float
    alpha: float
    sigma: float

    def times(self, y: Tensor) -> Tensor:
        """The time of each row of y: (B,)."""
        return y.new_full((len(y),), self.t)


def levels(denoiser: Denoiser, steps: int) -> tuple[Level, ...]:
    """Those that the steps begin at, and that without noise, at which the last one ends: steps + 1 of them."""
    t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1].to(denoiser.scale)
    rows = (t, denoiser.alpha(t), denoiser.sigma(t))  # rounded as the denoiser itself will see them
    return (*map(Level, *(row.tolist() for row in rows)), Level(0.0, 1.0, 0.0))


def first(denoiser: Denoiser, level: Level, noise: Tensor) -> Tensor:
    """Where the process begins: noise (B, *T) about the mean of all data, which the denoiser tells of noise alone."""
    y_t = level.sigma * denoiser.scale * noise
    return y_t + level.alpha * denoiser.denoise(y_t, level.times(y_t))


def step(
    y_t: Tensor, y_0: Tensor, now: Level, then: Level, spread: float, noise: Tensor | None, scale: Tensor
) -> Tensor:
    """From one level to the next, given what y_0 is expected to be.

    Args:
        y_t, y_0: (B, *T).
        now, then: the levels.
        spread: deviation of the noise that is added, see `spread_of`.
        noise: standard normal, (B, *T), unless spread is 0.
        scale: of the generator's noise, T.
    """
    old = (y_t - now.alpha * y_0) / now.sigma  # scale times the noise in y_t; "direction pointing to x_t" in (12)
    y = then.alpha * y_0 + max(then.sigma**2 - spread**2, 0.0) ** 0.5 * old  # equation (12) of DDIM
    return y if noise is None else y + spread * scale * noise


def spread_of(now: Level, then: Level, eta: float) -> float:
    """Deviation of the noise that a step adds, in units of the scale: equation (16) of DDIM, for all schedules."""
    left = now.sigma**2 - (now.alpha / then.alpha * then.sigma) ** 2
    return eta * then.sigma / now.sigma * max(left, 0.0) ** 0.5
