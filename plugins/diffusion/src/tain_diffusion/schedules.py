"""Noise schedules: how much noise there is at each time from 0, almost none, to 1, almost nothing else.

A noised sample is z_t = alpha z_0 + sigma noise with alpha^2 + sigma^2 = 1. So all is told by one number, the ratio
s = sigma / alpha, or by the angle phi with tan phi = s:

    alpha = cos phi = 1 / sqrt(1 + s^2)        sigma = sin phi = s / sqrt(1 + s^2)

Each schedule below is the formula of its ratio, increasing in time, and positive at time 0, where otherwise log s would
be infinite. Results have at least 5 right digits in float32 and 12 in float64 at all times, both ends included.
"""

import math
from collections.abc import Callable
from typing import Literal

import attrs
import torch
from torch import Tensor

__all__ = ["SCHEDULES", "NoiseSchedule", "ScheduleName", "alpha_sigma"]

ScheduleName = Literal["edm", "cosine", "variance-preserving"]


@attrs.frozen
class NoiseSchedule:
    """How much noise there is at each time, and how often training meets it.

    Attributes:
        ratio: sigma / alpha at times t in [0, 1], any shape.
        training_ratio: the ratio to train at, from a uniform number in [0, 1): any shape.
    """

    ratio: Callable[[Tensor], Tensor]
    training_ratio: Callable[[Tensor], Tensor]

    @property
    def limits(self) -> tuple[float, float]:
        """The ratio at times 0 and 1."""
        low, high = self.ratio(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
        return low, high

    def level(self, ratio: Tensor) -> Tensor:
        """What networks are told: the logarithm of the ratio, shifted and scaled to run from 0 to 1."""
        low, high = map(math.log, self.limits)
        return (ratio.log() - low) / (high - low)


def alpha_sigma(ratio: Tensor) -> tuple[Tensor, Tensor]:
    """The factors of signal and noise for the ratio s = sigma / alpha, any shape.

    Example:
        >>> import torch
        >>> alpha_sigma(torch.tensor([0.0, 0.75]))
        (tensor([1.0000, 0.8000]), tensor([0.0000, 0.6000]))
    """
    alpha = (1 + ratio.square()).rsqrt()
    return alpha, ratio * alpha


def _variance_preserving(t: Tensor) -> Tensor:
    """alpha^2 = exp(-integral of beta), with beta rising from 0.1 to 20 (equation 33 there).

    Source: Score-Based Generative Modeling through SDEs, https://arxiv.org/abs/2011.13456
    """
    t = 1e-5 + (1 - 1e-5) * t  # the smallest time of their likelihoods; s is 0.001 there
    return torch.expm1(0.1 * t + 19.9 / 2 * t.square()).sqrt()


def _cosine(t: Tensor) -> Tensor:
    """alpha = cos phi with phi rising evenly in time, up to 0.002 from 0 and from a right angle (equation 17 there).

    Source: Improved Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2102.09672
    """
    edge, turn = 0.002, math.pi / 2 - 0.004
    return torch.sin(edge + turn * t) / torch.sin(edge + turn * (1 - t))  # tan phi, exact near both ends


_LOW, _HIGH, _RHO = 0.002, 80.0, 7
_MEAN, _DEVIATION = math.log(0.6), 1.2  # published for data of deviation 0.5 as log 0.3; ours have deviation 1


def _edm(t: Tensor) -> Tensor:
    """s^(1/7) rises evenly in time, from 0.002 to 80 (equation 5 there).

    With data of deviation 1, predicting the velocity is that paper's preconditioning, and its weight of the loss.

    Source: Elucidating the Design Space of Diffusion-Based Generative Models, https://arxiv.org/abs/2206.00364
    """
    low, high = _LOW ** (1 / _RHO), _HIGH ** (1 / _RHO)
    return (low + (high - low) * t) ** _RHO


def _log_normal(u: Tensor) -> Tensor:
    """Log-normal ratios (table 1 there), of those between the limits."""
    limits = torch.tensor([_LOW, _HIGH], dtype=torch.float64)
    below, above = torch.special.ndtr((limits.log() - _MEAN) / _DEVIATION).tolist()
    return torch.exp(_MEAN + _DEVIATION * torch.special.ndtri(below + (above - below) * u))


SCHEDULES: dict[ScheduleName, NoiseSchedule] = {
    "edm": NoiseSchedule(_edm, _log_normal),
    "cosine": NoiseSchedule(_cosine, _cosine),
    "variance-preserving": NoiseSchedule(_variance_preserving, _variance_preserving),
}
