"""What the mirror maps of a box have in common: each coordinate has a map of its own, by the kind of its interval."""

import abc

from torch import Tensor

from tain import Legendre
from tain_analytic.box import BoxSet
from tain_analytic.intervals import Interval

__all__ = ["BoxMap"]


class BoxMap(Legendre, abc.ABC):
    """phi(x) = the sum of a potential of each coordinate. The base of `BoxEntropy` and `BoxBarrier`."""

    constraint: BoxSet

    def __init__(self, box: BoxSet, potential: Interval):
        super().__init__()
        self.constraint = box
        self._phi = potential

    def forward(self, x: Tensor) -> Tensor:
        """y = phi'(x), coordinate by coordinate: (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the box by more than its tolerance.
        """
        self.constraint.require_shape(x)
        y = self._phi.open_gradient(x)
        if not bool(y.detach().sum().isfinite()):  # some row is on the boundary or outside, or none is and the sum huge
            self.constraint.require(x)
            y = self._phi.gradient(x)
        return y

    def inverse(self, y: Tensor) -> Tensor:
        """x = phi*'(y), coordinate by coordinate: (B, n) to (B, n)."""
        return self._phi.inverse(y)

    def potential(self, x: Tensor) -> Tensor:
        """phi(x), the sum over the coordinates: (B, n) to (B,)."""
        return self._phi.potential(x).sum(1)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y), the sum over the coordinates: (B, n) to (B,)."""
        return self._phi.conjugate(y).sum(1)

    def log_det(self, x: Tensor) -> Tensor:
        """The sum of log phi''(x) over the coordinates: (B, n) to (B,)."""
        return self._phi.log_hessian(x).sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """phi''(x) v: (B, n), (B, n) to (B, n)."""
        return self._phi.hessian(x) * v

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w / phi''(x): (B, n), (B, n) to (B, n)."""
        return w / self._phi.hessian(x)
