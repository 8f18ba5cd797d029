"""Diffusion: a network learns to remove noise, step by step from pure noise to data.

With z_0 the standardised data and alpha^2 + sigma^2 = 1, training draws z_t = alpha z_0 + sigma noise and asks the
network for the velocity v = alpha noise - sigma z_0 (or the noise, or z_0 itself; each tells the other two). With
alpha = cos phi and sigma = sin phi that is dz/dphi, which also makes an exact likelihood.

Sources:
    Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    Progressive Distillation for Fast Sampling of Diffusion Models (velocity and angle), https://arxiv.org/abs/2202.00512
    Score-Based Generative Modeling through SDEs (probability flow), https://arxiv.org/abs/2011.13456
"""

import abc
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tain import Denoiser
from tain.randomness import standard_normal, uniform
from tain_diffusion.arguments import PredictionName, SamplerName, TailsName
from tain_diffusion.continuous_flow import ContinuousFlow, TimedNetwork
from tain_diffusion.samplers import require_evaluations, sample
from tain_diffusion.schedules import SCHEDULES, ScheduleName, alpha_sigma
from tain_diffusion.sources import Gaussian

__all__ = ["Diffusion"]


class Diffusion(ContinuousFlow, Denoiser, abc.ABC):
    """All of a diffusion model but its network. Training data are standardised by `prepare`; losses are of that scale.

    A subclass is final, declares its own arguments, and gives the network: see `ContinuousFlow`. What the network is
    told as the time t, in [0, 1], is the logarithm of sigma / alpha, shifted and scaled.

    Args:
        event_shape, network, activations, likelihood_steps, covariates, classes, condition_dropout, guidance, seed,
            tails: see `ContinuousFlow`.
        schedule: noise schedule, see `tain_diffusion.schedules`.
        prediction: what the network predicts.
        sampler: method of sampling, see `tain_diffusion.samplers`.
        evaluations: network evaluations a sample; guidance takes each of them twice.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        network: Callable[[int], nn.Module],
        activations: int,
        schedule: ScheduleName,
        prediction: PredictionName,
        sampler: SamplerName,
        evaluations: int,
        likelihood_steps: int,
        covariates: int,
        classes: int,
        condition_dropout: float,
        guidance: float,
        seed: int,
        tails: TailsName = "kept",
    ):
        require_evaluations(type(self).__name__, sampler, evaluations)
        super().__init__(
            event_shape=event_shape,
            network=network,
            activations=activations,
            likelihood_steps=likelihood_steps,
            covariates=covariates,
            classes=classes,
            condition_dropout=condition_dropout,
            guidance=guidance,
            seed=seed,
            tails=tails,
        )
        self.schedule = SCHEDULES[schedule]
        self.prediction: PredictionName = prediction
        self.sampler: SamplerName = sampler
        self.evaluations = evaluations

    def alpha(self, t: Tensor) -> Tensor:
        return alpha_sigma(self.schedule.ratio(t))[0]

    def sigma(self, t: Tensor) -> Tensor:
        return alpha_sigma(self.schedule.ratio(t))[1]

    def denoise(self, y_t: Tensor, t: Tensor, *, condition: Tensor | None = None) -> Tensor:
        """E[y_0 given y_t]: y_t (B, *event_shape), times t (B,) in [0, 1], to (B, *event_shape), with gradients.

        Raises:
            MissingCapabilityError: the tails are shortened.
        """
        self.require_kept_tails()
        self.require_shape(y_t)
        embedded, ratio = self.conditions(condition, len(y_t)), self.schedule.ratio(t)
        alpha, _ = alpha_sigma(self.per_row(ratio))
        z_t = (y_t - alpha * self.mean) / self.scale
        output = self.guided(z_t, self.schedule.level(ratio), embedded, 1.0 if condition is None else self.guidance)
        return self.mean + self.scale * self._clean(output, z_t, ratio)

    def training_example(self, z_0: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        ratio = self.schedule.training_ratio(uniform((len(z_0),), rng, like=z_0))
        noise = standard_normal(tuple(z_0.shape), rng, like=z_0)
        alpha, sigma = alpha_sigma(self.per_row(ratio))
        z_t = alpha * z_0 + sigma * noise  # equation (4) of DDPM
        target = {"velocity": alpha * noise - sigma * z_0, "noise": noise, "clean": z_0}[self.prediction]
        return z_t, self.schedule.level(ratio), target

    def draw(self, n: int, network: TimedNetwork, rng: torch.Generator) -> Tensor:
        def clean(z: Tensor, ratio: Tensor) -> Tensor:
            return self._clean(network(z, self.schedule.level(ratio)), z, ratio)

        return sample(self.sampler, self.schedule, clean, (n, *self.event_shape), self.evaluations, rng, self.mean)

    def velocity(self, z: Tensor, s: Tensor, embedded: Tensor | None) -> Tensor:
        """dz/dphi at the angle phi = s."""
        ratio = s.tan()
        output = self.guided(z, self.schedule.level(ratio), embedded, 1.0)
        return self._velocity(output, z, ratio)

    def grid(self) -> Tensor:
        """Angles. The first, of time 0, counts as no noise at all: its sigma is at most 0.002."""
        return self.schedule.ratio(torch.linspace(0, 1, self.likelihood_steps + 1, dtype=torch.float64)).atan()

    def noise_log_prob(self, z: Tensor) -> Tensor:
        return Gaussian().log_prob(z)

    def _velocity(self, output: Tensor, z_t: Tensor, ratio: Tensor) -> Tensor:
        """The velocity alpha noise - sigma z_0, from what the network predicts, with z_t = alpha z_0 + sigma noise."""
        alpha, sigma = alpha_sigma(self.per_row(ratio))
        if self.prediction == "noise":
            return (output - sigma * z_t) / alpha
        return output if self.prediction == "velocity" else (alpha * z_t - output) / sigma

    def _clean(self, output: Tensor, z_t: Tensor, ratio: Tensor) -> Tensor:
        """z_0, from what the network predicts."""
        alpha, sigma = alpha_sigma(self.per_row(ratio))
        return output if self.prediction == "clean" else alpha * z_t - sigma * self._velocity(output, z_t, ratio)
