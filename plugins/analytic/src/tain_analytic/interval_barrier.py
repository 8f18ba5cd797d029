"""Log barriers of intervals, and their milder kin with a power."""

from typing import final

import torch
from torch import Tensor

from tain_analytic.intervals import Interval
from tain_analytic.numerics import barrier_margin, like
from tain_analytic.power_roots import half_line_root, interval_root

__all__ = ["BoundedBarrier", "HalfLineBarrier", "barrier"]


def barrier(s: Tensor, power: float) -> Tensor:
    """The B with B'(s) = -1 / s^power: -log s for the power 1."""
    return -s.log() if power == 1 else -(s ** (1 - power)) / (1 - power)


def _margin(dtype: torch.dtype, power: float, mild: bool) -> float:
    """The least slack s: its inverse cube, as in third derivatives, is finite. If `mild`, s^power is sqrt(eps)."""
    if mild:
        return torch.finfo(dtype).eps ** (1 / (2 * power))
    return barrier_margin(dtype) ** (1 / 3)


def _fading(s: Tensor, power: float) -> Tensor:
    """1 / s^power, NaN where s is negative, which 1 / s is not."""
    return s.rsqrt().square() if power == 1 else s**-power


@final
class BoundedBarrier(Interval):
    """[a, b]: with s = x - a and t = b - x, phi = w B(s) + w B(t), and y = w / t^power - w / s^power.

    `mild` is for intervals along axes that are turned, where a huge y would drown all other coordinates.
    """

    def __init__(self, lower: Tensor, upper: Tensor, weight: float = 1.0, power: float = 1.0, mild: bool = False):
        self.lower, self.upper, self.weight, self.power, self.mild = lower, upper, weight, power, mild
        self.half = (upper - lower) / 2
        self.size = weight * self.half**-power  # of y, in the interval [-1, 1]

    def potential(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return self.weight * (barrier(s, self.power) + barrier(t, self.power))

    def gradient(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return self.weight * (t**-self.power - s**-self.power)

    def open_gradient(self, x: Tensor) -> Tensor:
        s, t = x - like(self.lower, x), like(self.upper, x) - x
        return self.weight * (_fading(t, self.power) - _fading(s, self.power))

    def hessian(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return self.weight * self.power * (t ** -(1 + self.power) + s ** -(1 + self.power))

    def conjugate(self, y: Tensor) -> Tensor:
        # <x, y> - phi(x), in the slack of the nearer bound, which keeps its digits where x - bound does not.
        near = like(self.half, y) * self._nearer(y)
        far = 2 * like(self.half, y) - near
        bound = torch.where(y < 0, like(self.lower, y), like(self.upper, y))
        least = torch.finfo(y.dtype).tiny
        potential = self.weight * (barrier(near.clamp(min=least), self.power) + barrier(far, self.power))
        return bound * y - near * torch.where(y < 0, -y, y) - potential

    def inverse(self, y: Tensor) -> Tensor:
        near = like(self.half, y) * self._nearer(y)
        return torch.where(y < 0, like(self.lower, y) + near, like(self.upper, y) - near)

    def _nearer(self, y: Tensor) -> Tensor:
        """The slack of the nearer bound in the interval [-1, 1], from 0 to 1."""
        z = torch.where(y < 0, -y, y) / like(self.size, y)  # |y|, with the slope 1 at 0
        if self.power != 1:
            return interval_root(z, self.power) ** (-1 / self.power)
        h = torch.hypot(z, torch.ones_like(z))
        return (1 + 1 / (h + z)) / (1 + h)  # 1 - z / (1 + h), whose difference would lose digits

    def _slacks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        margin = like(self.half * _margin(x.dtype, self.power, self.mild), x)
        return (x - like(self.lower, x)).clamp(min=margin), (like(self.upper, x) - x).clamp(min=margin)


@final
class HalfLineBarrier(Interval):
    """One bound: with s = |x - bound|, phi = s^2 / 2 + w B(s), the barrier made strongly convex.

    sign +1: a lower bound, y = s - w / s^power. sign -1: an upper bound, y with the other sign. The barrier alone has
    slopes of one sign only; with half the square, y takes every value. Far from the bound y is nearly s.
    """

    def __init__(self, bound: Tensor, sign: Tensor, weight: float = 1.0, power: float = 1.0, mild: bool = False):
        self.bound, self.sign, self.weight, self.power, self.mild = bound, sign, weight, power, mild
        self.size = weight ** (1 / (1 + power))  # where y is 0; in units of it the weight is 1

    def potential(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        return s * s / 2 + self.weight * barrier(s, self.power)

    def gradient(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        return like(self.sign, x) * (s - self.weight * s**-self.power)

    def open_gradient(self, x: Tensor) -> Tensor:
        s = like(self.sign, x) * (x - like(self.bound, x))
        return like(self.sign, x) * (s - self.weight * _fading(s, self.power))

    def hessian(self, x: Tensor) -> Tensor:
        return 1 + self.weight * self.power * self._slack(x) ** -(1 + self.power)

    def conjugate(self, y: Tensor) -> Tensor:
        # <x, y> - phi(x), with y = s - w / s^power put in: sums of one sign, but for the logarithm.
        s = self._slack_at(y)
        if self.power == 1:
            least = s * s / 2 + self.weight * (s.log() - 1)
        else:
            rest = s.clamp(min=torch.finfo(s.dtype).tiny) ** (1 - self.power)  # its slope is infinite at 0
            least = s * s / 2 + self.weight * self.power / (1 - self.power) * rest
        return like(self.bound, y) * y + least

    def inverse(self, y: Tensor) -> Tensor:
        return like(self.bound, y) + like(self.sign, y) * self._slack_at(y)

    def _slack(self, x: Tensor) -> Tensor:
        margin = _margin(x.dtype, self.power, self.mild)
        return (like(self.sign, x) * (x - like(self.bound, x))).clamp(min=margin)

    def _slack_at(self, y: Tensor) -> Tensor:
        """The positive root s of s - w / s^power = z, with z = sign y."""
        z = like(self.sign, y) * y / self.size
        # One form where z is positive, one where not. The clamps keep the other form from what it cannot compute.
        above, below = z.clamp(min=0), (-z).clamp(min=0)
        if self.power == 1:
            s = torch.where(z > 0, _larger_root(above), 1 / _larger_root(below))
        else:  # below, r = 1 / s^power is the root of r - 1 / r^(1 / power) = -z
            small = half_line_root(below, 1 / self.power) ** (-1 / self.power)
            s = torch.where(z > 0, half_line_root(above, self.power), small)
        return self.size * s


def _larger_root(z: Tensor) -> Tensor:
    """The root r of r - 1 / r = z for z >= 0, which is (z + sqrt(z^2 + 4)) / 2."""
    return (z + torch.hypot(z, torch.full_like(z, 2))) / 2
