"""The mirror map of slabs and half spaces: that of an interval along each direction, the identity across them."""

from typing import Annotated, final

from torch import Tensor

from tain import Field, Legendre
from tain_analytic.half_line_entropy import HalfLineEntropy
from tain_analytic.interval_product import IntervalProduct
from tain_analytic.slabs import SlabSet

__all__ = ["SlabsEntropy"]


@final
class SlabsEntropy(Legendre):
    """phi(x) = sum of psi(t_i) + |p|^2 / 2, with t = D x along the directions and p = x - D' t across them.

        forward    y = p + D' psi'(t)       inverse    the same, with the inverse function of psi'

    psi by how many bounds a <= t <= b of a direction are finite:

        two     psi = s log(s / w) + r log(r / w), with s = t - a, r = b - t and w = b - a
                psi' = log(s / r)
        one     psi = s log s - s up to s = 1, and s^2 / 2 - s - 1/2 beyond, with s = t - a, or b - t
                psi' = log s, and s - 1 beyond; times -1 for an upper bound

    Both grow like a logarithm at a bound, so that what is across keeps its digits beside them.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x| and of
    the scale. `inverse(forward(x))` returns x to 1e-5 in float32 and 1e-12 in float64, relative to the larger of |x|
    and the bounds, where x is at least 1e-6 of that away from them. In every function of x, slacks below a margin count
    as the margin, which keeps all results finite: 1e-31 in float32 (1e-292 in float64), of the width of a slab.
    `potential` and `conjugate` are finite while the squares in them are.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        slabs: the set, `Slabs` or a `HalfSpace` of n dimensions. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import Slabs, SlabsEntropy
        >>> mirror = SlabsEntropy(Slabs(directions=[[0.6, 0.8]], lower=[-1.0], upper=[1.0]))
        >>> mirror(torch.tensor([[0.8, -0.6]]))
        tensor([[ 0.8000, -0.6000]])
        >>> mirror.inverse(torch.tensor([[60.0, 80.0]]))
        tensor([[0.6000, 0.8000]])
    """

    constraint: SlabSet

    def __init__(self, slabs: Annotated[SlabSet, Field("slabs or a half space")]):
        super().__init__()
        self.constraint = slabs
        self._psi = IntervalProduct(slabs.bounds.lower, slabs.bounds.upper, HalfLineEntropy)

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
