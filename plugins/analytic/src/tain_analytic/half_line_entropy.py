"""A potential of the half line whose gradient grows slowly at the bound, for sets whose axes are turned."""

from typing import final

import torch
from torch import Tensor

from tain_analytic.intervals import Interval
from tain_analytic.numerics import barrier_margin, like

__all__ = ["HalfLineEntropy"]


@final
class HalfLineEntropy(Interval):
    """One bound, with s = |x - bound|: negative entropy up to s = 1, half a square beyond.

        phi = s log s - s      (s <= 1)       y = log s      s = exp y      (y <= 0)
        phi = s^2 / 2 - s - 1/2  (s > 1)      y = s - 1      s = 1 + y      (y > 0)

    phi is strictly convex and twice continuously differentiable, y takes every value, and nothing overflows. At the
    bound y grows like log s. The log barrier's 1 / s would, where axes are turned, drown the other coordinates in the
    rounding errors of its size: in float32, s = 1e-6 would leave them no digit.

    sign +1: a lower bound. sign -1: an upper bound, y with the other sign.
    """

    def __init__(self, bound: Tensor, sign: Tensor):
        self.bound, self.sign = bound, sign

    def potential(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        near, far = s.clamp(max=1), s.clamp(min=1)
        return torch.where(s < 1, near * near.log() - near, far * (far / 2 - 1) - 0.5)

    def gradient(self, x: Tensor) -> Tensor:
        s = self._slack(x)
        return like(self.sign, x) * torch.where(s < 1, s.clamp(max=1).log(), s - 1)

    def hessian(self, x: Tensor) -> Tensor:
        return 1 / self._slack(x).clamp(max=1)

    def conjugate(self, y: Tensor) -> Tensor:
        z = like(self.sign, y) * y
        return like(self.bound, y) * y + torch.where(z < 0, z.clamp(max=0).exp(), 1 + z * (1 + z / 2))

    def inverse(self, y: Tensor) -> Tensor:
        z, sign = like(self.sign, y) * y, like(self.sign, y)
        return like(self.bound, y) + sign * torch.where(z < 0, z.clamp(max=0).exp(), 1 + z)

    def _slack(self, x: Tensor) -> Tensor:
        return (like(self.sign, x) * (x - like(self.bound, x))).clamp(min=barrier_margin(x.dtype))
