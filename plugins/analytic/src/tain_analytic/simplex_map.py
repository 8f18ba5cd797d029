"""What the entropic mirror maps of the simplex have in common, whatever the coordinates of their mirror space."""

import abc

import torch
from torch import Tensor

from tain import Potential
from tain_analytic.numerics import barrier_margin
from tain_analytic.simplex import Simplex

__all__ = ["SimplexMap"]


class SimplexMap(Potential, abc.ABC):
    """Negative entropy, phi(x) = sum of x_i log x_i. With A the linear map from n logarithms to coordinates:

        forward    y = A log x              inverse    x = softmax(A' y)
        pairing    <x, A' y>                conjugate  phi*(y) = log sum exp(A' y)

    The base of `SimplexEntropy`, with n - 1 coordinates, and `SimplexSoftmax`, with n.
    """

    constraint: Simplex

    def __init__(self, simplex: Simplex):
        super().__init__()
        self.constraint = simplex

    @abc.abstractmethod
    def contract(self, a: Tensor) -> Tensor:
        """A a, in which a common shift of a row is lost: (B, n) to (B, T). May overwrite a."""

    @abc.abstractmethod
    def expand(self, y: Tensor) -> Tensor:
        """A' y: (B, T) to (B, n)."""

    def forward(self, x: Tensor) -> Tensor:
        """y = A log x: (B, n) to (B, T).

        Raises:
            OutsideSetError: a row is outside of the simplex by more than its tolerance.
        """
        self.constraint.require_shape(x)
        y = self.contract(x.log())
        with torch.no_grad():
            whole = (x.sum(1) - 1).abs() <= self.constraint.tolerance(x.dtype)
            inside = whole.all() & y.sum().isfinite()
        if not bool(inside):  # some row is on the boundary or outside
            self.constraint.require(x)
            y = self.contract(self.inside(x).log())
        return y

    def inverse(self, y: Tensor) -> Tensor:
        """x = softmax(A' y): (B, T) to (B, n)."""
        share = self.expand(y).softmax(1)
        return share / share.sum(1, keepdim=True)  # over thousands of parts, softmax's own sum is off by several ulp

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = sum of x_i log x_i: (B, n) to (B,)."""
        return (x * self.inside(x).log()).sum(1)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = log sum exp(A' y): (B, T) to (B,)."""
        return self.expand(y).logsumexp(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """A (v / x), for tangents v with sum zero: (B, n), (B, n) to (B, T)."""
        return self.contract(v / self.inside(x))

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """(diag(x) - x x') A' w, a tangent with sum zero: (B, n), (B, T) to (B, n)."""
        direction = self.expand(w)
        return x * (direction - (x * direction).sum(1, keepdim=True))

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """<x, A' y>: (B, n), (B, T) to (B,)."""
        return (x * self.expand(y)).sum(1)

    @staticmethod
    def inside(x: Tensor) -> Tensor:
        """x, shares below the margin as the margin."""
        return x.clamp(min=barrier_margin(x.dtype))
