"""The step of diffusion posterior sampling: down the gradient of the misfit of the sample that the denoiser expects.

Source: Diffusion Posterior Sampling for General Noisy Inverse Problems, https://arxiv.org/abs/2209.14687 (algorithm 1)
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import grad

from tain_dps.likelihood import Likelihood
from tain_dps.reverse_process import Level
from tain_dps.sampler import Guided

__all__ = ["TESTING", "dps_step"]

TESTING = {"expected_failures": {"gaussian-posterior": "the method is biased: its step ignores how sure y_0 is"}}
"""What the property tests must know of solvers that make this step."""


def dps_step(
    likelihood: Likelihood,
    y_t: Tensor,
    level: Level,
    zeta: float,
    penalty: Callable[[Tensor], Tensor] | None = None,
) -> Guided:
    """y_t (b, *T) to the denoised y_0 and the push - zeta (gradient of |r|^2 / |r| + gradient of the penalty).

    r = m - operator(x) is the residual of each sample x = samples(y_0). Noise that differs between entries, or is
    correlated, weighs it: |r| is the whitened norm times the root mean variance, which of equal noise is the plain one.

    The gradient is that in standardised units, in which the generator's noise has the deviation sigma.

    Args:
        likelihood: of the rows of y_t.
        y_t, level: where the reverse process is.
        zeta: the step's weight.
        penalty: samples (b, *S) to (b,).
    """
    space, noise = likelihood.space, likelihood.noise
    with torch.enable_grad():
        y_t = y_t.detach().requires_grad_()
        y_0 = space.denoiser.denoise(y_t, level.times(y_t))  # line 4, equation (10)
        x = space.samples(y_0)
        r = noise.whitened(likelihood.residual(x)).flatten(1)
        square = (noise.level * r).square().sum(1)  # |m - A(x)|^2 of each row on its own
        size = square.detach().sqrt().clamp_min(torch.finfo(square.dtype).tiny ** 0.5)
        loss = square / size  # section 3.2: zeta_i = zeta / |m - A(x)|, a number that is not differentiated
        (slope,) = grad((loss if penalty is None else loss + penalty(x)).sum(), y_t)
    push = -zeta * space.denoiser.scale.square() * slope  # line 7
    return Guided(y_0.detach(), push, r.detach().square().mean(1).sqrt())
