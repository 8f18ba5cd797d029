"""Diffusion models that others trained with the diffusers library, as generators of tain.

Such a model is a U-Net, and a table of alpha_k^2 for the steps k = 0..K-1 that it was trained at. Here its time runs
from 0 to 1: step k is t = k / (K - 1), and between two steps alpha^2 is interpolated linearly.

Sources:
    Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    diffusers, https://github.com/huggingface/diffusers
"""

import math
import os
import warnings
from pathlib import Path
from typing import Annotated, Any, final

import torch
from torch import Tensor

from tain import ConfigurationError, Denoiser, Field, ShapeError
from tain.randomness import generator, standard_normal
from tain_diffusion.arguments import Scheduler, SchedulerName, Seed
from tain_diffusion.pretrained_files import (
    build_network,
    parse_scheduler,
    parse_unet,
    read_text,
    read_weights,
    signal_variance,
)
from tain_diffusion.samplers import require_evaluations

__all__ = ["PretrainedDiffusion"]

_SCHEDULER: dict[SchedulerName, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ancestral": ("DDPMScheduler", {}),
    "dpm-solver++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm-solver++-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    # Other spacings may begin where the signal is all but gone (as cosine schedules do), with a step too large for it.
    "heun": ("HeunDiscreteScheduler", {"timestep_spacing": "leading"}),
}
_STOCHASTIC = ("ancestral", "dpm-solver++-sde")
_CHUNK = 2**20  # numbers that the network takes at once; bounds the memory of a large request


@final
class PretrainedDiffusion(Denoiser):
    """A U-Net of the diffusers library with its own noise schedule, to sample from, to condition and to train on.

    Its samples are in the units it was trained in, which for pictures usually are -1 to 1. It must be unconditional.
    Training never drops units out, whatever its configuration, since that would draw from the global random state.

    Args:
        unet: the U-Net's `config.json`; `from_folder` reads it, and the weights too, which otherwise are random.
        scheduler: the scheduler's `scheduler_config.json`: any noise schedule in discrete steps.
        sampler: method of sampling; its clipping, and but for heun the spacing of its steps, are as `scheduler` tells.
        evaluations: network evaluations a sample, at most one a step of the schedule; odd for heun.
        seed: seed of random weights.

    Raises:
        ConfigurationError: a text is no JSON, or that of something else than a U-Net or a scheduler of these kinds.

    Example:
        >>> import torch
        >>> unet = '{"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1, "out_channels": 1, '
        >>> unet += '"block_out_channels": [32], "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"]}'
        >>> schedule = '{"num_train_timesteps": 100, "beta_schedule": "linear", "prediction_type": "epsilon"}'
        >>> model = PretrainedDiffusion(unet, schedule, evaluations=5)
        >>> model.sample(2, rng=0).shape
        torch.Size([2, 1, 8, 8])
    """

    scale: Tensor
    signal_variance: Tensor

    def __init__(
        self,
        unet: Annotated[str, Field("configuration of the U-Net, as JSON text")],
        scheduler: Annotated[str, Field("configuration of the noise schedule, as JSON text")],
        sampler: Scheduler = "ddim",
        evaluations: Annotated[int, Field("network evaluations a sample", at_least=1)] = 50,
        seed: Seed = 0,
    ):
        super().__init__()
        config = parse_unet(unet)
        self.schedule = parse_scheduler(scheduler)
        self.prediction: str = self.schedule["prediction_type"]
        signal = signal_variance(self.schedule)
        self.steps = len(signal)
        _require_evaluations(sampler, evaluations, self.steps)
        self.sampler: SchedulerName = sampler
        self.evaluations = evaluations
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = build_network(config)
        size = config["sample_size"]
        self.event_shape = (self.network.config.in_channels, *((size, size) if isinstance(size, int) else size))
        self._require_steps()
        self.register_buffer("scale", torch.ones(self.event_shape))
        self.register_buffer("signal_variance", signal.to(torch.get_default_dtype()))

    @classmethod
    def from_folder(
        cls,
        folder: str | os.PathLike[str],
        scheduler: str | os.PathLike[str] | None = None,
        *,
        sampler: SchedulerName = "ddim",
        evaluations: int = 50,
    ) -> "PretrainedDiffusion":
        """Read what `save_pretrained` of diffusers wrote. Only safetensors are read, never a pickle.

        Args:
            folder: of a pipeline, with `unet` and `scheduler` in it; or of the U-Net alone.
            scheduler: folder of the scheduler, if it is not in a pipeline's.
            sampler, evaluations: as in the constructor.

        Raises:
            CheckpointError: a file is missing or pickled, or the weights do not fit the configuration.
            ConfigurationError: the files are those of other classes.
        """
        unet = Path(folder) if scheduler is not None else Path(folder) / "unet"
        schedule = Path(folder) / "scheduler" if scheduler is None else Path(scheduler)
        texts = read_text(unet / "config.json"), read_text(schedule / "scheduler_config.json")
        model = cls(*texts, sampler=sampler, evaluations=evaluations)
        model.network.load_state_dict(read_weights(unet))
        return model.eval()

    def alpha(self, t: Tensor) -> Tensor:
        return self._signal(t).sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        return (1 - self._signal(t)).sqrt()

    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """Mean squared error of the network's own prediction at a random step: (B, *event_shape) to (B,)."""
        self._require_shape(y)
        rng = generator(rng)
        steps = torch.randint(self.steps, (len(y),), generator=rng, device=rng.device).to(y.device)
        noise = standard_normal(tuple(y.shape), rng, like=y)
        signal = self.signal_variance[steps][:, None, None, None]
        alpha, sigma = signal.sqrt(), (1 - signal).sqrt()
        y_t = alpha * y + sigma * noise  # equation (4) of DDPM
        target = {"epsilon": noise, "sample": y, "v_prediction": alpha * noise - sigma * y}[self.prediction]
        return (self._predict(y_t, steps) - target).square().flatten(1).mean(dim=1)

    def denoise(self, y_t: Tensor, t: Tensor) -> Tensor:
        self._require_shape(y_t)
        signal = self._signal(t)[:, None, None, None]
        alpha, sigma = signal.sqrt(), (1 - signal).sqrt()
        predicted = self._predict(y_t, t * (self.steps - 1))
        if self.prediction == "epsilon":
            return (y_t - sigma * predicted) / alpha
        return predicted if self.prediction == "sample" else alpha * y_t - sigma * predicted

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        rng = generator(rng)
        y = standard_normal((n, *self.event_shape), rng, like=self.scale)
        method = self._method()
        noise = {"generator": rng} if self.sampler in _STOCHASTIC else {}
        y = y * method.init_noise_sigma  # 1, unless the method counts in units of the signal, as heun does
        rows = max(1, _CHUNK // math.prod(self.event_shape))
        for step in method.timesteps:
            # The noise is that of all samples at once, so that their chunks do not show in the result.
            chunks = method.scale_model_input(y, step).split(rows)
            predicted = torch.cat([self._predict(chunk, step.expand(len(chunk))) for chunk in chunks])
            y = method.step(predicted, step, y, **noise).prev_sample.to(y.dtype)
        return y

    def _predict(self, y: Tensor, steps: Tensor) -> Tensor:
        if len(y) == 0:  # of which the library's attention makes nothing
            return y
        predicted: Tensor = self.network(y, steps, return_dict=False)[0]
        return predicted

    def _method(self) -> Any:
        """A new scheduler of diffusers, set to visit as many steps as there are evaluations."""
        import diffusers

        name, settings = _SCHEDULER[self.sampler]
        with warnings.catch_warnings():
            # diffusers passes torch tensors to numpy in a way that numpy 2 deprecates; the times come out right.
            warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
            method = getattr(diffusers, name).from_config(self.schedule, **settings)
            method.set_timesteps((self.evaluations + 1) // 2 if self.sampler == "heun" else self.evaluations)
        return method

    def _require_steps(self) -> None:
        """Refuse numbers of evaluations for which diffusers' own arithmetic of steps goes wrong.

        Trailing steps may then come out one too many, the last before time 0; and DDIM takes each of its steps to be of
        the same whole number, which makes samples too wide (0.57 instead of 0.5 for normal data, in 201 of 1000 steps).
        """
        times, spacing = self._method().timesteps, self.schedule.get("timestep_spacing", "leading")
        uneven = self.sampler == "ddim" and spacing != "leading" and self.steps % self.evaluations != 0
        if uneven or len(times) != self.evaluations or float(times.min()) < 0:
            raise ConfigurationError(
                f"PretrainedDiffusion: 'evaluations' is {self.evaluations}, but with the 'timestep_spacing' "
                f"'{spacing}' of 'scheduler' must be a divisor of its {self.steps} steps. Give one, or set "
                "'timestep_spacing' to 'leading'."
            )

    def _signal(self, t: Tensor) -> Tensor:
        """alpha^2 at times in [0, 1]."""
        position = t * (self.steps - 1)
        below = position.floor().clamp(0, self.steps - 2).long()
        return torch.lerp(self.signal_variance[below], self.signal_variance[below + 1], position - below)

    def _require_shape(self, y: Tensor) -> None:
        if tuple(y.shape[1:]) != self.event_shape:
            raise ShapeError(
                f"PretrainedDiffusion: samples have shape {tuple(y.shape)}, but must have "
                f"(B, {', '.join(map(str, self.event_shape))})."
            )


def _require_evaluations(sampler: SchedulerName, evaluations: int, steps: int) -> None:
    require_evaluations("PretrainedDiffusion", sampler, evaluations)
    if (evaluations + 1) // 2 > steps or (sampler != "heun" and evaluations > steps):
        raise ConfigurationError(
            f"PretrainedDiffusion: 'evaluations' is {evaluations}, but must be at most one for each of the {steps} "
            "steps of 'scheduler'."
        )
