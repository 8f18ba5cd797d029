"""Moment matching posterior sampling: the likelihood knows how sure the denoiser is of what it expects."""

import math
from typing import Annotated, final

import torch
from torch import Tensor
from torch.autograd import grad

from tain import Field
from tain.conjugate_gradients import conjugate_gradients
from tain_dps.likelihood import Likelihood
from tain_dps.linearisation import Linearisation
from tain_dps.reverse_process import Level
from tain_dps.sampler import Eta, Guided, PosteriorSampler, RowsAtOnce, Steps

__all__ = ["MomentMatching"]


@final
class MomentMatching(PosteriorSampler):
    """The denoiser's mean of y_0 is corrected by the measurement as that of a normal distribution would be.

    Given y_t, y_0 has the mean that the denoiser tells, and the covariance V, which its derivative tells. Taken as
    normal, and with G the derivative of operator and mirror map at that mean, the measurement moves the mean by
    V G' v, with (Sigma + G V G') v the residual. That is exact of a normal prior and a linear operator, in the limit of
    many steps, and needs no weight to be tuned. Systems are solved by conjugate gradients, each row on its own: an
    iteration costs one backward pass through the denoiser.

    It works in any mirror space, as `MirrorDPS` does. Trained denoisers have derivatives that are neither symmetric nor
    accurate; few iterations are then the remedy, as in the paper, which takes 1 to 5.

    Source: Learning Diffusion Priors from Observations by Expectation Maximization, https://arxiv.org/abs/2405.13712
    (section 4.2)

    Args:
        iterations: of conjugate gradients at most.
        tolerance: size of the rest, relative to the residual, at which a row's iterations stop.
        steps, eta, rows_at_once: see `PosteriorSampler`.

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Gaussian
        >>> problem = tain.Posterior(torch.full((4000, 1), 2.0), lambda x: x[:, :1], 1.0, Gaussian((0.0,), (1.0,)))
        >>> x = MomentMatching().solve(problem, rng=0).result  # the posterior: mean 1, variance 1/2
        >>> abs(x.mean() - 1) < 0.05, abs(x.var() - 0.5) < 0.05
        (tensor(True), tensor(True))
    """

    remedy = "Take fewer 'iterations' or more 'steps'."

    def __init__(
        self,
        iterations: Annotated[int, Field("of conjugate gradients at most", at_least=1)] = 5,
        tolerance: Annotated[float, Field("size of the rest at which they stop", at_least=0, below=math.inf)] = 1e-3,
        steps: Steps = 200,
        eta: Eta = 1.0,
        rows_at_once: RowsAtOnce = None,
    ):
        super().__init__(steps, eta, rows_at_once)
        self.iterations, self.tolerance = iterations, tolerance

    def guided(self, likelihood: Likelihood, y_t: Tensor, level: Level) -> Guided:
        space, noise = likelihood.space, likelihood.noise
        with torch.enable_grad():
            y_t = y_t.detach().requires_grad_()
            expected = space.denoiser.denoise(y_t, level.times(y_t))
        y_0 = expected.detach()
        tangent = Linearisation(lambda y: likelihood.operator(space.samples(y)), y_0, space.denoiser.scale)
        r = likelihood.measurement - tangent.values
        variance = level.sigma**2 / level.alpha * space.denoiser.scale.square()

        def covariance_times(w: Tensor) -> Tensor:
            """V w = (Sigma_t / alpha) J' w: Tweedie's covariance formula, with V symmetric."""
            (pulled,) = grad(expected, y_t, w, retain_graph=True)
            return variance * pulled

        def system(u: Tensor) -> Tensor:  # Sigma_y + A V A', whose inverse is in the likelihood's score
            return noise.covariance_times(u) + tangent.times(covariance_times(tangent.transposed_times(u)))

        v = conjugate_gradients(system, r, self.iterations, self.tolerance)
        moved = covariance_times(tangent.transposed_times(v))  # (Sigma_t / alpha) times the score J' A' v
        return Guided(y_0 + moved, 0.0, noise.misfit(r))
