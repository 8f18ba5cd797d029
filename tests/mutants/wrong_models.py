"""Wrong generators and solvers."""

import math

import attrs
import torch
from correct import FitSolver, PosteriorSolver, TargetSolver
from mutant import MUTANTS, Mutant, mutant
from wrong_mirror_maps import HalfLogDet, SlightlyOutside

import tain
from tain.randomness import generator, standard_normal
from tain.testing.gaussian import Gaussian

line = mutant("generator", (0.5,), (2.0,))
plane = mutant("generator", (0.0, 1.0), (1.0, 0.5))
solver = mutant("solver")


@plane
class AveragedLoss(Gaussian):
    """The loss is averaged over the batch."""

    def loss(self, y, *, rng=None):
        return super().loss(y, rng=rng).mean()


@plane
class DetachedLoss(Gaussian):
    """The loss is cut off from the weights."""

    def loss(self, y, *, rng=None):
        return super().loss(y, rng=rng).detach()


@plane
class UnusedWeight(Gaussian):
    """A weight takes no part in the loss."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__(mean, std)
        self.unused = torch.nn.Parameter(torch.ones(1))


@plane
class RisingLoss(Gaussian):
    """The gradient of the loss has the wrong sign."""

    def loss(self, y, *, rng=None):
        loss = super().loss(y, rng=rng)
        return 2 * loss.detach() - loss


@plane
class InfiniteLoss(Gaussian):
    """The loss takes the logarithm of what may be negative."""

    def loss(self, y, *, rng=None):
        return super().loss(y, rng=rng) + 0 * y.log().sum(1)


@plane
class UnseededLoss(Gaussian):
    """The loss draws its noise whatever the seed."""

    def loss(self, y, *, rng=None):
        return super().loss(y + 0.1 * standard_normal(tuple(y.shape), generator(None), y))


@plane
class BatchNormalisedLoss(Gaussian):
    """The loss standardises the samples by the batch's own mean."""

    def loss(self, y, *, rng=None):
        return super().loss(y - 0.1 * y.mean(0), rng=rng)


@plane
class IgnoresSeed(Gaussian):
    """Samples ignore the given random numbers."""

    def sample(self, n, *, rng=None):
        return super().sample(n, rng=None)


@plane
class OneSeed(Gaussian):
    """Samples are the same for every seed."""

    def sample(self, n, *, rng=None):
        return super().sample(n, rng=0)


@plane
class OneSample(Gaussian):
    """All samples of a call are the same."""

    def sample(self, n, *, rng=None):
        return super().sample(1, rng=rng).repeat(n, 1)


@plane
class FlatSamples(Gaussian):
    """Samples lack the shape of the data when only one is drawn, or none."""

    def sample(self, n, *, rng=None):
        return super().sample(n, rng=rng).squeeze()


@plane
class NoEmptySample(Gaussian):
    """At least one sample is drawn, even if none is asked for."""

    def sample(self, n, *, rng=None):
        return super().sample(max(n, 1), rng=rng)


@line
class UnnormalisedDensity(Gaussian):
    """The density lacks its constant."""

    def log_prob(self, y):
        return super().log_prob(y) + math.log(2 * math.pi) / 2


@line
class SamplesTooWide(Gaussian):
    """Samples have the variance for a deviation."""

    @torch.no_grad()
    def sample(self, n, *, rng=None):
        noise = standard_normal((n, 1), generator(rng), self.mean)
        return self.mean + (2 * self.log_std).exp() * noise


@plane
class SwappedSchedule(Gaussian):
    """alpha and sigma are swapped."""

    def alpha(self, t):
        return super().sigma(t)

    def sigma(self, t):
        return super().alpha(t)


@plane
class DenoisesToNoise(Gaussian):
    """`denoise` gives the noise, not the data."""

    def denoise(self, y_t, t):
        return y_t - super().denoise(y_t, t)


@plane
class UnsavedMean(Gaussian):
    """What `prepare` learns of the data is a plain attribute, so it is not saved."""

    shift = 0.0

    def prepare(self, y):
        self.shift = float(y.mean())

    def loss(self, y, *, rng=None):
        return super().loss(y - self.shift, rng=rng)


MUTANTS.append(
    Mutant(
        "mirrored-outside",
        "A mirrored generator inherits a map whose inverse ends a little outside.",
        tain.Mirrored(SlightlyOutside(1), Gaussian((40.0,), (20.0,))),
        "generator",
    )
)
MUTANTS.append(
    Mutant(
        "mirrored-half-density",
        "A mirrored generator inherits a map whose log_det lacks a factor.",
        tain.Mirrored(HalfLogDet(1), Gaussian((0.0,), (1.0,))),
        "generator",
    )
)


@solver
class SharperPosterior(PosteriorSolver):
    """The likelihood takes the variance of the noise for its square."""

    def solve(self, problem, *, rng=None, callback=None):
        return super().solve(attrs.evolve(problem, noise_std=4 * problem.noise_std), rng=rng, callback=callback)


@solver
class PriorOnly(PosteriorSolver):
    """The measurement is overlooked."""

    def solve(self, problem, *, rng=None, callback=None):
        solution = super().solve(problem, rng=rng, callback=callback)
        return tain.Solution(problem.prior.sample(len(solution.result), rng=rng))


@solver
class Unseeded(PosteriorSolver):
    """The solution ignores the given random numbers."""

    def solve(self, problem, *, rng=None, callback=None):
        return super().solve(problem, rng=None, callback=callback)


@solver
class Silent(PosteriorSolver):
    """The callback is never called."""

    def solve(self, problem, *, rng=None, callback=None):
        return super().solve(problem, rng=rng)


@solver
class NoisyMeasurement(PosteriorSolver):
    """The measurement of the problem is changed in place."""

    def solve(self, problem, *, rng=None, callback=None):
        problem.measurement.add_(1e-3)
        return super().solve(problem, rng=rng, callback=callback)


@solver
class HotTarget(TargetSolver):
    """The target is sampled at another temperature."""

    def solve(self, problem, *, rng=None, callback=None):
        hot = attrs.evolve(problem, log_prob=lambda x: problem.log_prob(x) / 3)
        return super().solve(hot, rng=rng, callback=callback)


@solver
class Unlearning(FitSolver):
    """The model is made less likely."""

    def solve(self, problem, *, rng=None, callback=None):
        solution = super().solve(problem, rng=rng, callback=callback)
        with torch.no_grad():
            solution.result.log_std.fill_(-3.0)
        return solution
