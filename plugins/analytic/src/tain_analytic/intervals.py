"""Potentials of one variable, one for each kind of interval; a box is a product of intervals.

Every function works entry by entry: column j of its argument, shape (B, k), belongs to interval j of k.
"""

import abc
from typing import final

import torch
from torch import Tensor

from tain_analytic.divided_difference import gauss_legendre

__all__ = ["Free", "Interval"]


class Interval(abc.ABC):
    """k intervals of one kind, with a strictly convex potential phi on each."""

    @abc.abstractmethod
    def potential(self, x: Tensor) -> Tensor:
        """phi(x)."""

    @abc.abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """y = phi'(x); x nearer to a bound than a margin, or beyond it, counts as at the margin."""

    @abc.abstractmethod
    def open_gradient(self, x: Tensor) -> Tensor:
        """y = phi'(x) without a margin, so NaN or infinite where x is not strictly inside."""

    @abc.abstractmethod
    def hessian(self, x: Tensor) -> Tensor:
        """phi''(x), positive."""

    @abc.abstractmethod
    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = max over x of x y - phi(x)."""

    @abc.abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """x = phi*'(y), in the interval for every finite y."""

    def mean_hessian(self, a: Tensor, b: Tensor) -> Tensor:
        """(phi'(a) - phi'(b)) / (a - b) for a and b that are close: the mean of phi'' between them.

        Nothing cancels in it. Gauss and Legendre's rule with 7 points is exact to 1e-17 where phi'' is smooth, and
        singular at a bound only, which is several times |a - b| away.
        """
        mean = torch.zeros_like(a + b)
        for share, weight in gauss_legendre(7):
            mean = mean + weight * self.hessian(a + share * (b - a))
        return mean

    def log_hessian(self, x: Tensor) -> Tensor:
        """log phi''(x)."""
        return self.hessian(x).log()


@final
class Free(Interval):
    """The whole line: phi = x^2 / 2, and y = x."""

    def potential(self, x: Tensor) -> Tensor:
        return x * x / 2

    def gradient(self, x: Tensor) -> Tensor:
        return x

    def open_gradient(self, x: Tensor) -> Tensor:
        return x

    def hessian(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def conjugate(self, y: Tensor) -> Tensor:
        return y * y / 2

    def inverse(self, y: Tensor) -> Tensor:
        return y
