"""Potentials of intervals whose gradients grow like a logarithm at a bound."""

import math
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tain_analytic.intervals import Interval
from tain_analytic.numerics import barrier_margin, like

__all__ = ["BoundedEntropy", "HalfLineEntropy"]


@final
class BoundedEntropy(Interval):
    """[a, b]: with s = x - a, t = b - x and w = b - a, phi = s log(s / w) + t log(t / w), and y = log(s / t)."""

    def __init__(self, lower: Tensor, upper: Tensor):
        self.lower, self.upper, self.width = lower, upper, upper - lower
        # x is counted from the smaller bound, near which floating point numbers are closer together.
        self.sign = torch.where(lower.abs() <= upper.abs(), 1.0, -1.0).double()
        self.anchor = torch.where(self.sign > 0, lower, upper)
        self.step = self.sign * self.width
        self.upwards = bool((self.sign > 0).all())

    def potential(self, x: Tensor) -> Tensor:
        (s, t), width = self._inside(x), like(self.width, x)
        return s * (s / width).log() + t * (t / width).log()

    def gradient(self, x: Tensor) -> Tensor:
        s, t = self._inside(x)
        return (s / t).log()

    def open_gradient(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        return s.div_(t).log_()  # in place, since time goes into memory here

    def hessian(self, x: Tensor) -> Tensor:
        s, t = self._inside(x)
        return like(self.width, x) / s / t

    def log_hessian(self, x: Tensor) -> Tensor:
        s, t = self._slacks(x)
        product = s.mul_(t).clamp_(min=like(self._margin(x.dtype) * self.width, x))  # one slack is the width then
        return product.log_().neg_().add_(like(self.width.log(), x))

    def conjugate(self, y: Tensor) -> Tensor:
        return like(self.lower, y) * y - like(self.width, y) * logsigmoid(-y)  # a y + w log(1 + exp y)

    def inverse(self, y: Tensor) -> Tensor:
        share = (y if self.upwards else like(self.sign, y) * y).sigmoid()
        x = torch.addcmul(like(self.anchor, y), like(self.step, y), share)
        return x.clamp_(like(self.lower, y), like(self.upper, y))  # at the other bound, rounding may step across

    def _slacks(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x - like(self.lower, x), like(self.upper, x) - x

    def _inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        margin = like(self._margin(x.dtype), x)
        s, t = self._slacks(x)
        return s.clamp(min=margin), t.clamp(min=margin)

    def _margin(self, dtype: torch.dtype) -> Tensor:
        return (self.width * barrier_margin(dtype)).clamp(min=torch.finfo(dtype).tiny)


@final
class HalfLineEntropy(Interval):
    """One bound, with s = |x - bound|: negative entropy up to s = k, a quadratic beyond.

        phi = s log s - s                          (s <= k)    y = log s                s = exp y
        phi = (s - k)^2 / (2 k) + s log k - k      (s > k)     y = log k + s / k - 1    s = k (1 + y - log k)

    phi is strictly convex and twice continuously differentiable, y takes every value, and nothing overflows; the
    entropy alone would need s = exp y for all y. At the bound y grows like log s. The log barrier's 1 / s would, where
    axes are turned, drown the other coordinates in the rounding errors of its size: in float32, s = 1e-6 would leave
    them no digit.

    sign +1: a lower bound. sign -1: an upper bound, y with the other sign. `linear_from` is k, by default 1.
    """

    def __init__(self, bound: Tensor, sign: Tensor, linear_from: float = 1.0):
        self.bound, self.sign, self.k = bound, sign, linear_from
        self.log_k = math.log(linear_from)

    def potential(self, x: Tensor) -> Tensor:
        s = self._slack(x).clamp(min=barrier_margin(x.dtype))
        near, far = s.clamp(max=self.k), s.clamp(min=self.k)
        beyond = (far - self.k) ** 2 / (2 * self.k) + far * self.log_k - self.k
        return torch.where(s < self.k, near * near.log() - near, beyond)

    def gradient(self, x: Tensor) -> Tensor:
        return self._gradient_at(x, self._slack(x).clamp(min=barrier_margin(x.dtype)))

    def open_gradient(self, x: Tensor) -> Tensor:
        return self._gradient_at(x, self._slack(x))

    def hessian(self, x: Tensor) -> Tensor:
        return 1 / self._slack(x).clamp(barrier_margin(x.dtype), self.k)

    def mean_hessian(self, a: Tensor, b: Tensor) -> Tensor:
        """The mean of 1 / min(s, k), on each side of k on its own, since it has a corner there."""
        s, t = self._slack(a), self._slack(b)
        below = super().mean_hessian(self._at(s.clamp(max=self.k)), self._at(t.clamp(max=self.k)))
        across = (torch.minimum(s, t) < self.k) & (torch.maximum(s, t) > self.k)
        # Only there: the derivative of the share is 1 / (s - t) less as much, which hides all else where s is near t.
        share = (s.clamp(max=self.k) - t.clamp(max=self.k)) / torch.where(across, s - t, 1)
        return torch.where(across, share * below + (1 - share) / self.k, below)

    def conjugate(self, y: Tensor) -> Tensor:
        z = like(self.sign, y) * y
        far = z.clamp(min=self.log_k) - self.log_k
        beyond = self.k * (1 + far * (1 + far / 2))
        return like(self.bound, y) * y + torch.where(z < self.log_k, z.clamp(max=self.log_k).exp(), beyond)

    def inverse(self, y: Tensor) -> Tensor:
        z, sign = like(self.sign, y) * y, like(self.sign, y)
        far = self.k * (1 + (z.clamp(min=self.log_k) - self.log_k))
        return like(self.bound, y) + sign * torch.where(z < self.log_k, z.clamp(max=self.log_k).exp(), far)

    def _gradient_at(self, x: Tensor, s: Tensor) -> Tensor:
        beyond = self.log_k + s / self.k - 1
        return like(self.sign, x) * torch.where(s < self.k, s.clamp(max=self.k).log(), beyond)

    def _slack(self, x: Tensor) -> Tensor:
        return like(self.sign, x) * (x - like(self.bound, x))

    def _at(self, s: Tensor) -> Tensor:
        """The x whose slack is s."""
        return like(self.bound, s) + like(self.sign, s) * s
