"""Sampling from noise to data on a grid of noise levels: by a multistep method, or by the schedulers of diffusers.

The method of Adams and Bashforth follows dz/dphi = v, the velocity, in the angle phi (see `tain_diffusion.diffusion`).
On standard normal data v is zero, so that it is exact however few its steps are.

diffusers thinks of a discrete schedule, of which a sampler takes some steps. Here the grid itself is that schedule, and
every sampler takes all of its steps, so that levels are exactly those of our continuous schedules.

diffusers takes seconds to import, so it is imported when samples are first drawn. It computes in float32.
"""

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from tain import ConfigurationError
from tain.randomness import standard_normal
from tain_diffusion.adams_bashforth import adams_bashforth
from tain_diffusion.arguments import SamplerName
from tain_diffusion.continuous_flow import TimedNetwork
from tain_diffusion.schedules import NoiseSchedule, alpha_sigma

__all__ = ["require_evaluations", "sample"]


def require_evaluations(owner: str, sampler: SamplerName, evaluations: int) -> None:
    """Refuse numbers of network evaluations that a sampler cannot take.

    Raises:
        ConfigurationError: Heun's method was given an even number.
    """
    if sampler == "heun" and evaluations % 2 == 0:
        raise ConfigurationError(
            f"{owner}: 'evaluations' is {evaluations}, but must be odd with the sampler 'heun', which takes two a step "
            f"and one in the last. Give {evaluations - 1} or {evaluations + 1}."
        )


def sample(
    sampler: SamplerName,
    schedule: NoiseSchedule,
    clean: TimedNetwork,
    shape: tuple[int, ...],
    evaluations: int,
    rng: torch.Generator,
    like: Tensor,
) -> Tensor:
    """New samples in standardised units.

    Args:
        sampler: the method.
        schedule: tells the levels of noise.
        clean: E[z_0 given z_t], from z (n, *S) and the ratio sigma / alpha, one number.
        shape: (n, *S).
        evaluations: how often `clean` is asked, exactly.
        rng: source of the first noise, and of that of each step, if the method adds any.
        like: tells dtype and device.

    Sources:
        adams-bashforth: Progressive Distillation for Fast Sampling of Diffusion Models (the angle and its velocity,
            appendix D), https://arxiv.org/abs/2202.00512; the method: see `tain_diffusion.adams_bashforth`
        dpm-solver++: DPM-Solver++ (second order, multistep), https://arxiv.org/abs/2211.01095; -sde adds noise
        heun: Elucidating the Design Space of Diffusion-Based Generative Models, https://arxiv.org/abs/2206.00364
        ddim: Denoising Diffusion Implicit Models, https://arxiv.org/abs/2010.02502
        ancestral: Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    """
    steps = (evaluations + 1) // 2 if sampler == "heun" else evaluations
    ratios = levels(schedule, steps)
    if sampler == "adams-bashforth":

        def velocity(z: Tensor, phi: Tensor) -> Tensor:
            phi = phi.to(z)
            return (phi.cos() * z - clean(z, phi.tan())) / phi.sin()

        angles = torch.cat([ratios.flip(0).atan(), ratios.new_zeros(1)])
        return adams_bashforth(velocity, standard_normal(shape, rng, like=like), angles)
    with warnings.catch_warnings():
        # diffusers passes torch tensors to numpy in a way that numpy 2 deprecates; the ratios come out right.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        method = _scheduler(sampler, ratios)
    stochastic = {"generator": rng} if sampler in ("dpm-solver++-sde", "ancestral") else {}
    z = standard_normal(shape, rng, like=like) * method.init_noise_sigma
    for step in method.timesteps:
        ratio = ratios[int(step)].to(like)
        z_0 = clean(method.scale_model_input(z, step), ratio)
        z = method.step(z_0, step, z, **stochastic).prev_sample
    return z


def levels(schedule: NoiseSchedule, steps: int) -> Tensor:
    """The ratios s = sigma / alpha of a sampler's steps, increasing, in float64: (steps,).

    log s = 2 sinh u with u rising evenly: steps are short where signal and noise are alike, as on the way from one to
    the other most is decided there. The bench few-steps of tain-lab shows how near 20 such steps come to 1000.
    """
    low, high = (math.asinh(math.log(ratio) / 2) for ratio in schedule.limits)
    u = torch.linspace(low if steps > 1 else high, high, steps, dtype=torch.float64)
    return torch.exp(2 * torch.sinh(u))


def _scheduler(sampler: SamplerName, ratios: Tensor) -> Any:
    """A diffusers scheduler whose steps are those ratios, and whose last one ends without noise."""
    import diffusers

    alpha, _ = alpha_sigma(ratios)
    kept = alpha.square()
    betas = 1 - kept / torch.cat([kept.new_ones(1), kept[:-1]])
    common: dict[str, Any] = {
        "num_train_timesteps": len(ratios),
        "trained_betas": betas.tolist(),
        "prediction_type": "sample",
        "timestep_spacing": "trailing",
    }
    made: Any
    # Data are vectors of any size, not pixels: nothing may be clipped.
    if sampler == "dpm-solver++":
        made = diffusers.DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **common)
    elif sampler == "dpm-solver++-sde":
        made = diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++", **common)
    elif sampler == "heun":
        made = diffusers.HeunDiscreteScheduler(**common)
    elif sampler == "ddim":
        made = diffusers.DDIMScheduler(clip_sample=False, **common)
    else:
        made = diffusers.DDPMScheduler(clip_sample=False, **common)
    made.alphas_cumprod = kept  # its own are a product in float32, which at low noise leaves few digits of 1 - alpha^2
    made.set_timesteps(len(ratios))
    return made
