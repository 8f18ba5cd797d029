"""Noise schedules and samplers, all from the diffusers library, under the names of the literature.

diffusers takes seconds to import, so it is imported when a schedule is first built.
"""

import warnings
from typing import Any, Literal

from torch import Tensor

__all__ = ["PREDICTION_TYPE", "TIMES", "Prediction", "Sampler", "Schedule", "sampler", "signal_variance"]

TIMES = 1000
"""Number of steps of the discrete noise schedule."""

Schedule = Literal["cosine", "linear"]
Prediction = Literal["velocity", "noise", "clean"]
Sampler = Literal["dpm-solver++", "ddim", "ancestral"]

_BETA_SCHEDULE = {"cosine": "squaredcos_cap_v2", "linear": "linear"}
PREDICTION_TYPE = {"velocity": "v_prediction", "noise": "epsilon", "clean": "sample"}


def signal_variance(schedule: Schedule) -> Tensor:
    """alpha^2 at each of the TIMES steps of a schedule, shape (TIMES,), decreasing.

    Sources:
        cosine: Improved Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2102.09672
        linear: Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    """
    from diffusers import DDPMScheduler

    made: Any = DDPMScheduler(TIMES, beta_schedule=_BETA_SCHEDULE[schedule])
    variance: Tensor = made.alphas_cumprod
    return variance


def sampler(name: Sampler, schedule: Schedule, prediction: Prediction, evaluations: int) -> Any:
    """A diffusers scheduler, set to visit `evaluations` times.

    Sources:
        dpm-solver++: DPM-Solver++, https://arxiv.org/abs/2211.01095 (second order, multistep)
        ddim: Denoising Diffusion Implicit Models, https://arxiv.org/abs/2010.02502
        ancestral: Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
    """
    import diffusers

    common: dict[str, Any] = {
        "num_train_timesteps": TIMES,
        "beta_schedule": _BETA_SCHEDULE[schedule],
        "prediction_type": PREDICTION_TYPE[prediction],
        "timestep_spacing": "trailing",
    }
    made: Any
    # Data are vectors of any size, not pixels: nothing may be clipped.
    if name == "dpm-solver++":
        # The cosine schedule's last steps have almost no signal, where the solver's log-SNR steps would blow up;
        # this limit is the one that the diffusers documentation gives for it.
        common["lambda_min_clipped"] = -5.1 if schedule == "cosine" else -float("inf")
        made = diffusers.DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", solver_order=2, **common)
    elif name == "ddim":
        made = diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **common)
    else:
        made = diffusers.DDPMScheduler(clip_sample=False, **common)
    with warnings.catch_warnings():
        # diffusers passes torch tensors to numpy in a way that numpy 2 deprecates; the times come out right.
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        made.set_timesteps(evaluations)
    return made
