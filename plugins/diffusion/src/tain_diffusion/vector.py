"""Diffusion of vectors: a residual MLP that removes noise.

With z_0 the standardised data and alpha^2 + sigma^2 = 1, training draws z_t = alpha z_0 + sigma noise and asks the
network for the velocity v = alpha noise - sigma z_0 (or the noise, or z_0 itself); each tells the other two.

Sources:
    Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    Progressive Distillation for Fast Sampling of Diffusion Models (velocity), https://arxiv.org/abs/2202.00512
"""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Denoiser, Field, ShapeError
from tain.randomness import generator, standard_normal
from tain_diffusion.network import ResidualMLP
from tain_diffusion.samplers import TIMES, Prediction, Sampler, Schedule, sampler, signal_variance

__all__ = ["VectorDiffusion"]

_CHUNK = 16384  # rows sampled at once; bounds the memory of a large request


@final
class VectorDiffusion(Denoiser):
    """A diffusion model of vectors (or of small arrays, taken as vectors).

    Training data are standardised, entry by entry, by `prepare`; loss and samples are in units of the data. Weights
    are drawn from `seed` alone; the global random state is left as it was.

    Example:
        >>> import torch
        >>> model = VectorDiffusion(event_shape=(2,), width=32, blocks=1)
        >>> model.prepare(torch.randn(100, 2))
        >>> model.loss(torch.zeros(4, 2), rng=0).shape
        torch.Size([4])
        >>> model.sample(3, rng=0).shape
        torch.Size([3, 2])
    """

    mean: Tensor
    scale: Tensor
    signal_variance: Tensor

    def __init__(
        self,
        event_shape: Annotated[tuple[int, ...], Field("shape of one sample", at_least=1)],
        width: Annotated[int, Field("hidden units of the network", at_least=1)] = 256,
        blocks: Annotated[int, Field("residual blocks of the network", at_least=1)] = 4,
        schedule: Annotated[Schedule, Field("noise schedule")] = "cosine",
        prediction: Annotated[Prediction, Field("what the network predicts")] = "velocity",
        sampler: Annotated[Sampler, Field("method of sampling")] = "dpm-solver++",
        evaluations: Annotated[int, Field("network evaluations a sample", at_least=1, at_most=TIMES)] = 30,
        seed: Annotated[int, Field("seed of the initial weights", at_least=0)] = 0,
    ):
        super().__init__()
        self.event_shape = event_shape
        self.schedule: Schedule = schedule
        self.prediction: Prediction = prediction
        self.sampler: Sampler = sampler
        self.evaluations = evaluations
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = ResidualMLP(math.prod(event_shape), width, blocks)
        self.register_buffer("mean", torch.zeros(event_shape))
        self.register_buffer("scale", torch.ones(event_shape))
        self.register_buffer("signal_variance", signal_variance(schedule).to(torch.get_default_dtype()))

    def prepare(self, y: Tensor) -> None:
        """Take the mean and the standard deviation of each entry of the training data, (N, *event_shape).

        An entry that does not vary keeps the scale 1. A single row has no deviation either.
        """
        self._require_shape(y)
        deviation = y.std(dim=0, correction=0)
        self.mean.copy_(y.mean(dim=0))
        self.scale.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))

    def alpha(self, t: Tensor) -> Tensor:
        return self._signal(t).sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        return (1 - self._signal(t)).sqrt()

    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """Mean squared error of the network's prediction for each sample at a random time: (B, *S) to (B,)."""
        self._require_shape(y)
        rng = generator(rng)
        steps = torch.randint(TIMES, (len(y),), generator=rng, device=rng.device).to(y.device)
        noise = standard_normal((len(y), self.mean.numel()), rng, like=y)
        t = steps.to(y.dtype) / (TIMES - 1)
        alpha, sigma = self.alpha(t)[:, None], self.sigma(t)[:, None]
        z_0 = ((y - self.mean) / self.scale).flatten(1)
        z_t = alpha * z_0 + sigma * noise  # equation (4) of DDPM
        target = {"velocity": alpha * noise - sigma * z_0, "noise": noise, "clean": z_0}[self.prediction]
        return (self.network(z_t, t) - target).square().mean(dim=1)

    def denoise(self, y_t: Tensor, t: Tensor) -> Tensor:
        self._require_shape(y_t)
        alpha, sigma = (factor.reshape(-1, *[1] * len(self.event_shape)) for factor in (self.alpha(t), self.sigma(t)))
        z_t = (y_t - alpha * self.mean) / self.scale
        predicted = self.network(z_t.flatten(1), t).reshape(z_t.shape)
        if self.prediction == "velocity":
            z_0 = alpha * z_t - sigma * predicted
        elif self.prediction == "noise":
            z_0 = (z_t - sigma * predicted) / alpha
        else:
            z_0 = predicted
        return self.mean + self.scale * z_0

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        rng = generator(rng)
        chunks = [self._sample(min(_CHUNK, n - start), rng) for start in range(0, n, _CHUNK)]
        return torch.cat(chunks) if chunks else self.mean.new_zeros((0, *self.event_shape))

    def _sample(self, n: int, rng: torch.Generator) -> Tensor:
        method = sampler(self.sampler, self.schedule, self.prediction, self.evaluations)
        z = standard_normal((n, self.mean.numel()), rng, like=self.mean)
        stochastic = {"generator": rng} if self.sampler == "ancestral" else {}
        for step in method.timesteps:
            t = torch.full((n,), step.item() / (TIMES - 1), dtype=z.dtype, device=z.device)
            z = method.step(self.network(z, t), step, z, **stochastic).prev_sample
        return self.mean + self.scale * z.reshape(n, *self.event_shape)

    def _signal(self, t: Tensor) -> Tensor:
        """alpha^2 at times in [0, 1], linear between the steps of the schedule."""
        position = t * (TIMES - 1)
        below = position.floor().clamp(0, TIMES - 2).long()
        weight = position - below
        return torch.lerp(self.signal_variance[below], self.signal_variance[below + 1], weight)

    def _require_shape(self, y: Tensor) -> None:
        if tuple(y.shape[1:]) != self.event_shape:
            raise ShapeError(
                f"VectorDiffusion: samples have shape {tuple(y.shape)}, but must have "
                f"(B, {', '.join(map(str, self.event_shape))})."
            )
