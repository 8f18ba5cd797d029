"""Wrong mirror maps."""

import threading

import torch
from correct import BoxEntropy, BoxProjection, LearnedScale, RoughScale, Sheared, Softmax
from mutant import mutant

import tain

wrong = mutant("mirror-map")


@wrong
class LogOfSum(BoxEntropy):
    """The logarithm is taken of x plus 1e-3, against infinities."""

    def forward(self, x):
        self.constraint.require(x)
        return (x + 1e-3).log() - (1 - x + 1e-3).log()


@wrong
class WrongSign(BoxEntropy):
    """The map has the wrong sign throughout, so it is the gradient of a concave function."""

    def forward(self, x):
        return -super().forward(x)

    def inverse(self, y):
        return super().inverse(-y)

    def hessian_vector(self, x, v):
        return -super().hessian_vector(x, v)

    def inverse_hessian_vector(self, x, w):
        return -super().inverse_hessian_vector(x, w)


@wrong
class CachedInput(BoxEntropy):
    """`inverse` returns the samples that `forward` saw last."""

    last = None

    def forward(self, x):
        self.last = x
        return super().forward(x)

    def inverse(self, y):
        return self.last if self.last is not None and self.last.shape == y.shape else super().inverse(y)


@wrong
class CachedByValue(BoxEntropy):
    """`inverse` looks up what `forward` computed and is roughly right else."""

    def __init__(self, size: int = 3):
        super().__init__(size)
        self.seen = []

    def forward(self, x):
        y = super().forward(x)
        self.seen.append((x.detach(), y.detach()))
        return y

    def inverse(self, y):
        for x, image in self.seen:
            if image.shape == y.shape and image.dtype == y.dtype and torch.equal(image, y):
                return x
        return (1.01 * y).sigmoid()


@wrong
class FlattenedGradient(BoxEntropy):
    """A clamp flattens the gradient of `forward` in most of the set."""

    def forward(self, x):
        y = super().forward(x)
        return y.clamp(-0.5, 0.5) + (y - y.clamp(-0.5, 0.5)).detach()


@wrong
class HalfLogDet(BoxEntropy):
    """`log_det` lacks the factor of one of both bounds."""

    def log_det(self, x):
        return -self.slacks(x)[0].log().sum(1)


@wrong
class LogDetSign(BoxEntropy):
    """`log_det` is that of `inverse`, so of the wrong sign."""

    def log_det(self, x):
        return -super().log_det(x)


@wrong
class LogDetOfAllParts(Softmax):
    """`log_det` forgets the last part, by which all others are divided."""

    def log_det(self, x):
        return -x[:, :-1].log().sum(1)


@wrong
class TransposedHessian(Sheared):
    """The Hessian is M M' in place of M' M."""

    def hessian_vector(self, x, v):
        return v @ (self.matrix(x) @ self.matrix(x).T)

    def forward(self, x):
        self.constraint.require(x)
        return super().hessian_vector(x, x)


@wrong
class HalfTransposedHessian(Sheared):
    """The Hessian is M M in place of M' M, so it is not symmetric."""

    def hessian_vector(self, x, v):
        return v @ (self.matrix(x) @ self.matrix(x))

    def forward(self, x):
        self.constraint.require(x)
        return super().hessian_vector(x, x)


@wrong
class HessianOfInverse(BoxEntropy):
    """`inverse_hessian_vector` multiplies with the Hessian, not its inverse."""

    def inverse_hessian_vector(self, x, w):
        return self.hessian_vector(x, w)


@wrong
class DiagonalOnly(Softmax):
    """`inverse_hessian_vector` takes the diagonal alone."""

    def inverse_hessian_vector(self, x, w):
        return x * torch.cat([w, 0 * w[:, :1]], 1)


@wrong
class DoubledPotential(BoxEntropy):
    """The potential is twice what `forward` is the gradient of."""

    def potential(self, x):
        return 2 * super().potential(x)


@wrong
class ConjugateConstant(BoxEntropy):
    """The conjugate lacks a constant, which no gradient shows."""

    def conjugate(self, y):
        return super().conjugate(y) - 0.5


@wrong
class ConjugateOfPotential(BoxEntropy):
    """The conjugate is that of another potential."""

    def conjugate(self, y):
        return 2 * super().conjugate(y / 2)


@wrong
class DetachedPotential(BoxEntropy):
    """The potential is computed without gradients."""

    @torch.no_grad()
    def potential(self, x):
        return super().potential(x)


@wrong
class SlightlyOutside(BoxEntropy):
    """`inverse` ends a little outside of the set, for large images."""

    def inverse(self, y):
        return 0.5 + (super().inverse(y) - 0.5) * (1 + 2e-6)


@wrong
class Overflow(BoxEntropy):
    """`inverse` is a quotient of exponentials, NaN for large images."""

    def inverse(self, y):
        return y.exp() / (1 + y.exp())


@wrong
class InfiniteOnTheBoundary(BoxEntropy):
    """`forward` and the rest are infinite on the boundary."""

    def slacks(self, x):
        return x, 1 - x


@wrong
class NeverRefuses(BoxEntropy):
    """`forward` clamps what is outside of the set instead of refusing it."""

    def forward(self, x):
        s, t = self.slacks(x)
        return s.log() - t.log()


@wrong
class RefusesTheBoundary(BoxEntropy):
    """`forward` refuses points that `inverse` gives for large images, which round to the boundary."""

    def forward(self, x):
        if ((x <= 0) | (x >= 1)).any():
            raise tain.OutsideSetError("a number is not between 0 and 1")
        return super().forward(x)


@wrong
class WrongError(BoxEntropy):
    """`forward` raises another error than OutsideSetError."""

    def forward(self, x):
        if not ((x >= 0) & (x <= 1)).all():
            raise RuntimeError("outside")
        return super().forward(x)


@wrong
class ForgottenShape(Softmax):
    """The shape of samples is not told from that of their images."""

    def primal_shape(self, mirror_shape):
        return mirror_shape


@wrong
class BatchNormalised(BoxEntropy):
    """Images are centred by the mean of the batch."""

    def forward(self, x):
        y = super().forward(x)
        return y - y.mean(0, keepdim=True) * 1e-2


@wrong
class InverseSorts(BoxEntropy):
    """`inverse` sorts the rows of a batch."""

    def inverse(self, y):
        return super().inverse(y)[y[:, 0].argsort()]


@wrong
class FirstRowCounts(BoxEntropy):
    """A factor is computed from the first row of the batch."""

    def inverse(self, y):
        return super().inverse(y * (1 + 1e-3 * y[:1, :1].tanh()))


@wrong
class EditsImages(BoxEntropy):
    """`inverse` clamps the images in place."""

    def inverse(self, y):
        if not y.requires_grad:
            y.clamp_(-0.5, 0.5).mul_(1.0)
        return super().inverse(y)


@wrong
class NoisyInverse(BoxEntropy):
    """`inverse` adds a little noise, which the global random numbers give."""

    def inverse(self, y):
        return super().inverse(y + 1e-8 * torch.randn_like(y))


@wrong
class HoldsALock(BoxEntropy):
    """The map holds a lock, which cannot be copied."""

    def __init__(self, size: int = 3):
        super().__init__(size)
        self.lock = threading.Lock()


@wrong
class FixedDtype(Sheared):
    """The matrix is kept in float32, whatever the samples are."""

    def matrix(self, x):
        return torch.tensor([[1.0, 0.5], [0.0, 2.0]])


@wrong
class LaxProjection(BoxProjection):
    """`inverse` is inside, but not the nearest point."""

    def inverse(self, y):
        return torch.where((y < 0) | (y > 1), y.clamp(0.05, 0.95), y)


@wrong
class ShrinkingProjection(BoxProjection):
    """`inverse` shrinks all points a little, so repeating it goes on."""

    def inverse(self, y):
        return 0.5 + 0.999 * (y.clamp(0, 1) - 0.5)


@wrong
class MeanLearnedLoss(LearnedScale):
    """The loss of a learned map is averaged over the batch."""

    def loss(self, x, *, rng=None):
        return super().loss(x, rng=rng).mean()


@wrong
class FrozenFactor(LearnedScale):
    """The loss of a learned map is cut off from its weights."""

    def loss(self, x, *, rng=None):
        return super().loss(x, rng=rng).detach() + 0 * x.sum(1)


@wrong
class StaleBounds(RoughScale):
    """A learned map is trained on after it was measured."""

    @torch.no_grad()
    def measure(self, x, y=None):
        super().measure(x, y)
        self.stretch.mul_(1.2)


@wrong
class ForgottenBounds(RoughScale):
    """The bounds of a learned map are kept in an attribute of its own, which no checkpoint holds."""

    own = ()

    @property
    def bounds(self):
        return dict(self.own)

    def measure(self, x, y=None):
        super().measure(x, y)
        self.own = self._bounds
