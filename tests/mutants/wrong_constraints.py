"""Wrong constraints."""

import random

import torch
from correct import Plane, Shares, UnitBox
from mutant import mutant

import tain

wrong = mutant("constraint")


@wrong
class SignedDistance(Plane):
    """The distance is negative on one side."""

    def distance(self, x):
        return self.residual(x)[:, 0]


@wrong
class DistanceOfSlack(UnitBox):
    """The distance is that to the bounds, so above 0 inside too."""

    def distance(self, x):
        return torch.minimum(x.abs(), (x - 1).abs()).amin(1)


@wrong
class OverlookedCoordinate(UnitBox):
    """The distance ignores the last coordinate."""

    def distance(self, x):
        return super().distance(x[:, :-1])


@wrong
class OverlookedSign(Shares):
    """The distance tells only that the sum is 1, not that all parts are positive."""

    def distance(self, x):
        return (x.sum(1) - 1).abs()


@wrong
class Indicator(UnitBox):
    """The distance is 1 outside, whatever the point."""

    def distance(self, x):
        return ((x < 0) | (x > 1)).any(1).to(x.dtype) + 0 * x.sum(1)


@wrong
class FlatFarAway(UnitBox):
    """A clamp of the distance flattens its gradient far away."""

    def distance(self, x):
        return super().distance(x).clamp(max=0.3)


@wrong
class DetachedDistance(UnitBox):
    """The distance is cut off from its samples."""

    def distance(self, x):
        return super().distance(x.detach())


@wrong
class DoubledSlope(Plane):
    """Part of the distance is detached, so its gradient is twice what it should be."""

    def distance(self, x):
        distance = super().distance(x)
        return 2 * distance - distance.detach()


@wrong
class NanGradientInside(UnitBox):
    """The square root has an infinite slope at 0, so the gradient is NaN inside."""

    def distance(self, x):
        return (x - x.clamp(0, 1)).square().sum(1).sqrt()


@wrong
class NormOverTheBatch(UnitBox):
    """One norm is taken over the whole batch."""

    def distance(self, x):
        away = (-x).relu() + (x - 1).relu()
        return 0 * x.sum(1) + away.norm()


@wrong
class OneDistance(UnitBox):
    """The distance is the mean over the batch, one number."""

    def distance(self, x):
        return super().distance(x).mean()


@wrong
class ColumnOfDistances(UnitBox):
    """The distance keeps a dimension too many."""

    def distance(self, x):
        return super().distance(x)[:, None]


@wrong
class SinglePrecision(UnitBox):
    """Samples in float64 are silently made float32 on the way."""

    def distance(self, x):
        return super().distance(x.float()).to(x.dtype)

    def project(self, x):
        return super().project(x.float())


@wrong
class LeastOfBatch(UnitBox):
    """A minimum over the rows fails for an empty batch."""

    def distance(self, x):
        return super().distance(x) + 0 * x.amin(0).sum()


@wrong
class InPlace(UnitBox):
    """The projection writes into the samples that it was given."""

    def project(self, x):
        return x.clamp_(0, 1) if not x.requires_grad else x.clamp(0, 1)


@wrong
class HalfOverflow(UnitBox):
    """The distance is computed in units so small that half precision overflows."""

    def distance(self, x):
        return (1e5 * ((-x).relu() + (x - 1).relu())).norm(dim=1) / 1e5


@wrong
class BooleanOfBatch(UnitBox):
    """`contains` is overridden, and takes NaN for inside."""

    def contains(self, x, tolerance=None):
        return ~(self.distance(x) > (self.tolerance(x.dtype) if tolerance is None else tolerance))


@wrong
class NegativeTolerance(UnitBox):
    """The tolerance has the wrong sign, so that nothing is inside."""

    def tolerance(self, dtype):
        return -super().tolerance(dtype)


@wrong
class ProjectionFallsShort(UnitBox):
    """The projection ends a little outside."""

    def project(self, x):
        return x.clamp(-1e-3, 1 + 1e-3)


@wrong
class ProjectionToTheMiddle(UnitBox):
    """The projection is feasible, but not the nearest point: it goes a little too far."""

    def project(self, x):
        return torch.where((x < 0) | (x > 1), x.clamp(0.01, 0.99), x)


@wrong
class ProjectionByScaling(Plane):
    """The sum is put right by a factor, which is feasible but not the nearest point."""

    def project(self, x):
        return x * self.total / x.sum(1, keepdim=True)


@wrong
class ProjectionShrinks(UnitBox):
    """The projection moves points inside too, so repeating it moves them on."""

    def project(self, x):
        return 0.5 + 0.99 * (x.clamp(0, 1) - 0.5)


@wrong
class ShiftedResidual(Plane):
    """The residual is off by 1e-3 of what the distance says."""

    def residual(self, x):
        return super().residual(x) + 1e-3

    def distance(self, x):
        return (x.sum(1) - self.total).abs() / 3**0.5

    def project(self, x):
        return x - super().residual(x) / 3


@wrong
class InteriorInDefaultDtype(UnitBox):
    """`interior` ignores the dtype that is asked for."""

    def interior(self, n, *, rng=None, dtype=None):
        return super().interior(n, rng=rng)


@wrong
class InteriorOnTheBoundary(UnitBox):
    """`interior` draws points with one coordinate on its bound."""

    def interior(self, n, *, rng=None, dtype=None):
        x = super().interior(n, rng=rng, dtype=dtype)
        x[:, 0] = 0
        return x


@wrong
class InteriorOutside(UnitBox):
    """`interior` draws normal numbers, of which some are outside."""

    def interior(self, n, *, rng=None, dtype=None):
        return 0.5 + 2 * (super().interior(n, rng=rng, dtype=dtype) - 0.5)


@wrong
class GlobalSeed(UnitBox):
    """`interior` seeds the global random numbers and draws from them."""

    def interior(self, n, *, rng=None, dtype=None):
        torch.manual_seed(0)
        return 0.01 + 0.98 * torch.rand((n, *self.event_shape), dtype=dtype)


@wrong
class PythonRandom(UnitBox):
    """`interior` draws from Python's own random numbers, whatever the seed."""

    def interior(self, n, *, rng=None, dtype=None):
        return torch.tensor([[random.random() for _ in range(3)] for _ in range(n)], dtype=dtype).reshape(n, 3)


@wrong
class OnePoint(UnitBox):
    """`interior` repeats one point."""

    def interior(self, n, *, rng=None, dtype=None):
        return super().interior(1, rng=rng, dtype=dtype).repeat(n, 1)


@wrong
class RetractsTooLittle(UnitBox):
    """`retract` has the sign of the margin wrong."""

    def retract(self, x, margin=0.0):
        return x.clamp(-margin, 1 + margin)


@wrong
class RetractsAlways(UnitBox):
    """`retract` moves points inside as well."""

    def retract(self, x, margin=0.0):
        return (0.999 * x).clamp(margin, 1 - margin)


@wrong
class NearBoundaryOfRows(UnitBox):
    """`near_boundary` tells of rows, not of entries."""

    def near_boundary(self, x, margin):
        return super().near_boundary(x, margin).any(1)


@wrong
class RandomBound(tain.Interior):
    """The upper bound is drawn when the set is made, so its configuration does not tell it."""

    event_ndim = 1
    event_shape = (3,)

    def __init__(self):
        super().__init__()
        self.upper = 1 + random.Random().random()

    def distance(self, x):
        return (x - self.upper).relu().sum(1)

    def interior(self, n, *, rng=None, dtype=None):
        return UnitBox.interior(self, n, rng=rng, dtype=dtype)


@wrong
class Countdown(UnitBox):
    """The distance depends on how often it was asked for."""

    calls = 0

    def distance(self, x):
        self.calls += 1
        return super().distance(x) * (1 + 1e-3 * self.calls)
