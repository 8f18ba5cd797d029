"""Potentials of one variable, one for each kind of interval; a box is a product of intervals.

Every function works entry by entry: column j of its argument, shape (B, k), belongs to interval j of k.
"""

import abc
import math
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tain_analytic.numerics import barrier_margin, like

__all__ = ["Bounded", "Free", "HalfLine", "Interval"]


class Interval(abc.ABC):
    """k intervals of one kind, with a strictly convex potential phi on each."""

    @abc.abstractmethod
    def potential(self, x: Tensor) -> Tensor:
        """phi(x)."""

    @abc.abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """y = phi'(x)."""

    @abc.abstractmethod
    def hessian(self, x: Tensor) -> Tensor:
        """phi''(x), positive."""

    @abc.abstractmethod
    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = max over x of x y - phi(x)."""

    @abc.abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """x = phi*'(y), in the interval for every finite y."""


@final
class Bounded(Interval):
    """[a, b]: with s = x - a, t = b - x and w = b - a, phi = s log(s / w) + t log(t / w), and y = log(s / t)."""

    def __init__(self, lower: Tensor, upper: Tensor):
        self.lower, self.upper, self.width = lower, upper, upper - lower

    def potential(self, x: Tensor) -> Tensor:
        (s, t), width = self._slacks(x), like(self.width, x)
        return s * (s / width).log() + t * (t / width).log()

    def gradient(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return (s / t).log()

    def hessian(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return 1 / s + 1 / t

    def conjugate(self, y: Tensor) -> Tensor:
        return like(self.lower, y) * y - like(self.width, y) * logsigmoid(-y)  # a y + w log(1 + exp y)

    def inverse(self, y: Tensor) -> Tensor:
        # Counted from the nearer bound, x neither loses digits there nor leaves the interval by rounding.
        low, high = like(self.lower, y), like(self.upper, y)
        width = like(self.width, y)
        return torch.where(y < 0, low + width * y.sigmoid(), high - width * (-y).sigmoid())

    def _slacks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        margin = like((self.width * barrier_margin(x.dtype)).clamp(min=torch.finfo(x.dtype).tiny), x)
        return (x - like(self.lower, x)).clamp(min=margin), (like(self.upper, x) - x).clamp(min=margin)


@final
class HalfLine(Interval):
    """One bound: with s = |x - bound|, phi = s^2 / 2 - log s, the log barrier made strongly convex.

    sign +1: a lower bound, y = s - 1 / s. sign -1: an upper bound, y = 1 / s - s. Far from the bound y is nearly x;
    the entropy s log s - s would need x = bound + exp y, which overflows.
    """

    def __init__(self, bound: Tensor, sign: Tensor):
        self.bound, self.sign = bound, sign

    def potential(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        return s * s / 2 - s.log()

    def gradient(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        return like(self.sign, x) * (s - 1 / s)

    def hessian(self, x: Tensor) -> Tensor:
        return 1 + self._slack(x) ** -2

    def conjugate(self, y: Tensor) -> Tensor:
        s = self._slack_at(y)
        return like(self.bound, y) * y + s * s / 2 + s.log() - 1

    def inverse(self, y: Tensor) -> Tensor:
        return like(self.bound, y) + like(self.sign, y) * self._slack_at(y)

    def _slack(self, x: Tensor) -> Tensor:
        # Its inverse square must be finite, hence the root.
        return (like(self.sign, x) * (x - like(self.bound, x))).clamp(min=math.sqrt(barrier_margin(x.dtype)))

    def _slack_at(self, y: Tensor) -> Tensor:
        """The positive root of s^2 - z s - 1 with z = sign y: (z + r) / 2 = 2 / (r - z), where r = sqrt(z^2 + 4)."""
        z = like(self.sign, y) * y
        r = torch.hypot(z, torch.full_like(z, 2))
        # Each form where it adds sizes of one sign. The clamps keep the form that is not used from dividing by zero.
        return torch.where(z > 0, (z.clamp(min=0) + r) / 2, 2 / (r - z.clamp(max=0)))


@final
class Free(Interval):
    """The whole line: phi = x^2 / 2, and y = x."""

    def potential(self, x: Tensor) -> Tensor:
        return x * x / 2

    def gradient(self, x: Tensor) -> Tensor:
        return x

    def hessian(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def conjugate(self, y: Tensor) -> Tensor:
        return y * y / 2

    def inverse(self, y: Tensor) -> Tensor:
        return y
