"""What the mirror maps of slabs and half spaces have in common: that of a box along directions, the identity across."""

import abc

from torch import Tensor

from tain import Legendre
from tain_analytic.intervals import Interval
from tain_analytic.slabs import SlabSet

__all__ = ["SlabsMap"]


class SlabsMap(Legendre, abc.ABC):
    """phi(x) = psi(t) + |p|^2 / 2, with t = D x along the directions and p = x - D' t across them.

        forward    y = p + D' psi'(t)       inverse    the same, with the inverse function of psi'

    The base of `SlabsEntropy` and `SlabsBarrier`.
    """

    constraint: SlabSet

    def __init__(self, slabs: SlabSet, potential: Interval):
        super().__init__()
        self.constraint = slabs
        self._psi = potential

    def forward(self, x: Tensor) -> Tensor:
        """y = p + D' psi'(t): (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the set by more than its tolerance.
        """
        self.constraint.require(x)
        return self.constraint.across(x) + self.constraint.lifted(self._psi.gradient(self._within(x)))

    def inverse(self, y: Tensor) -> Tensor:
        """x = p + D' psi*'(t), then the nearest point of the set, for the rounding of that sum: (B, n) to (B, n)."""
        t, p = self._parts(y)
        return self.constraint.project(p + self.constraint.lifted(self._psi.inverse(t)))

    def potential(self, x: Tensor) -> Tensor:
        """phi(x): (B, n) to (B,)."""
        t, p = self._within(x), self.constraint.across(x)
        return self._psi.potential(t).sum(1) + p.square().sum(1) / 2

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = sum of psi*(t_i) + |p|^2 / 2, with t = D y and p = y - D' t: (B, n) to (B,)."""
        t, p = self._parts(y)
        return self._psi.conjugate(t).sum(1) + p.square().sum(1) / 2

    def log_det(self, x: Tensor) -> Tensor:
        """The sum of log psi''(t_i): (B, n) to (B,)."""
        return self._psi.hessian(self._within(x)).log().sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """v - D' D v + D' psi''(t) D v: (B, n), (B, n) to (B, n)."""
        along, across = self._parts(v)
        return across + self.constraint.lifted(self._psi.hessian(self._within(x)) * along)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w - D' D w + D' (D w / psi''(t)): (B, n), (B, n) to (B, n)."""
        along, across = self._parts(w)
        return across + self.constraint.lifted(along / self._psi.hessian(self._within(x)))

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """D z, (B, k), and what of z is across, (B, n)."""
        return self.constraint.along(z), self.constraint.across(z)

    def _within(self, x: Tensor) -> Tensor:
        """t = D x, which rounding of a large x may have moved far beyond the bounds, back to them: (B, n) to (B, k)."""
        return self.constraint.bounds.project(self.constraint.along(x))
