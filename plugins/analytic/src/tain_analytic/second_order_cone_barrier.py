"""The mirror map of the second-order cone: its log barrier made strongly convex."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.numerics import barrier_margin, norm
from tain_analytic.second_order_cone import SecondOrderCone

__all__ = ["SecondOrderConeBarrier"]


@final
class SecondOrderConeBarrier(Legendre):
    """phi(x, t) = -log(t^2 - |x|^2) / 2 + (|x|^2 + t^2) / 2.

    The barrier alone maps the cone onto its negative, not onto the whole space; half the square mends that. With the
    eigenvalues l = t + |x| and m = t - |x| of a vector, phi = psi(l) / 2 + psi(m) / 2 for psi(s) = s^2 / 2 - log s, so
    all is as on a half line, eigenvalue by eigenvalue. With l, m of the sample, and those of its mirror image (z, w)
    carried back, l = (l' + h) / 2 and m = (m' + k) / 2, where l' = w + |z|, m' = w - |z|, h = hypot(l', 2) and
    k = hypot(m', 2):

        forward    z = x + x / (l m)            w = t - t / (l m)
        inverse    x = z (l + m) / (h + k)      t = (l + m) / 2

    Valid range: `inverse` is in the cone for every finite y up to 1e30 in size, up to 4 rounding errors of its length.
    The mirror image is as large as 1 / m, and so are its rounding errors. `inverse(forward(x))` returns x, relative to
    its length, to 1e-5 in float32 where m / l is at least 0.1, and to 1e-12 in float64 where it is at least 0.01, and
    so is m. Towards the boundary this fades to sqrt(eps), 3e-4 in float32 and 1e-8 in float64. In every function of
    x, m below sqrt(eps) min(l, 1) counts as that, since nearer to the boundary rounding would spoil l; and l and m
    below 3e-16 (1e-146) count as that, which keeps all results finite. `potential` and `conjugate` are finite while
    the squares in them are.

    Source: Analysis on Symmetric Cones, Faraut and Korányi 1994 (chapter III, spectral functions)

    Args:
        cone: the set, of n numbers. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import SecondOrderCone, SecondOrderConeBarrier
        >>> mirror = SecondOrderConeBarrier(SecondOrderCone(3))
        >>> y = mirror(torch.tensor([[0.0, 1.5, 2.5]]))
        >>> y
        tensor([[0.0000, 1.8750, 1.8750]])
        >>> mirror.inverse(y)
        tensor([[0.0000, 1.5000, 2.5000]])
    """

    constraint: SecondOrderCone

    def __init__(self, cone: Annotated[SecondOrderCone, Field("the cone")]):
        super().__init__()
        self.constraint = cone

    def forward(self, x: Tensor) -> Tensor:
        """(x + x / (l m), t - t / (l m)): (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the cone by more than its tolerance.
        """
        self.constraint.require(x)
        large, small = self._inside(x)
        length = norm(x[:, :-1])
        # Where a margin counts, |x| is what l and m leave of it; else they would not belong to one sample.
        within = torch.where(small > x[:, -1:] - length, (large - small) / 2 / torch.where(length > 0, length, 1), 1)
        z = x[:, :-1] * within
        w = (large + small) / 2 - (1 / large + 1 / small) / 2
        return torch.cat([z + z / large / small, w], 1)

    def inverse(self, y: Tensor) -> Tensor:
        """(z (l + m) / (h + k), (l + m) / 2): (B, n) to (B, n)."""
        (large, h), (small, k) = map(_root, _eigenvalues(y))
        return torch.cat([y[:, :-1] * ((large + small) / (h + k)), (large + small) / 2], 1)

    def potential(self, x: Tensor) -> Tensor:
        """(l^2 + m^2) / 4 - log(l m) / 2: (B, n) to (B,)."""
        large, small = self._inside(x)
        return ((large * large + small * small) / 4 - (large.log() + small.log()) / 2)[:, 0]

    def conjugate(self, y: Tensor) -> Tensor:
        """(l^2 + m^2) / 4 + log(l m) / 2 - 1, with l and m of inverse(y): (B, n) to (B,)."""
        (large, _), (small, _) = map(_root, _eigenvalues(y))
        return ((large * large + small * small) / 4 + (large.log() + small.log()) / 2 - 1)[:, 0]

    def log_det(self, x: Tensor) -> Tensor:
        """log(1 + 1 / l^2) + log(1 + 1 / m^2) + (n - 2) log(1 + 1 / (l m)): (B, n) to (B,)."""
        along, opposite, across = self._curvatures(x)
        return (along.log() + opposite.log() + (x.shape[1] - 2) * across.log())[:, 0]

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """v times the curvatures 1 + 1 / l^2, 1 + 1 / m^2 and, across them, 1 + 1 / (l m): (B, n), (B, n) to (B, n)."""
        along, opposite, across = self._curvatures(x)
        return _scaled(x, v, along, opposite, across)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w divided by these curvatures: (B, n), (B, n) to (B, n)."""
        along, opposite, across = self._curvatures(x)
        return _scaled(x, w, 1 / along, 1 / opposite, 1 / across)

    def _inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """l and m, at least their margins: (B, n) to (B, 1) each."""
        large, small = _eigenvalues(x)
        large = large.clamp(min=math.sqrt(barrier_margin(x.dtype)))
        margin = large.detach().clamp(max=1) * math.sqrt(torch.finfo(x.dtype).eps)
        margin = margin.clamp(min=math.sqrt(barrier_margin(x.dtype)))
        return large, torch.where(small > margin, small, margin)

    def _curvatures(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Hessian's eigenvalues, along (u, 1), along (-u, 1) and across both, with u = x / |x|: (B, 1) each."""
        large, small = self._inside(x)
        return 1 + large**-2, 1 + small**-2, 1 + 1 / large / small


def _eigenvalues(x: Tensor) -> tuple[Tensor, Tensor]:
    """t + |x| and t - |x|: (B, n) to (B, 1) each."""
    length, t = norm(x[:, :-1]), x[:, -1:]
    return t + length, t - length


def _root(z: Tensor) -> tuple[Tensor, Tensor]:
    """The positive root s of s - 1 / s = z, and hypot(z, 2)."""
    r = torch.hypot(z, torch.full_like(z, 2))
    # Each form where it adds sizes of one sign. The clamps keep the form that is not used from dividing by zero.
    return torch.where(z > 0, (z.clamp(min=0) + r) / 2, 2 / (r - z.clamp(max=0))), r


def _scaled(x: Tensor, v: Tensor, along: Tensor, opposite: Tensor, across: Tensor) -> Tensor:
    """v, each of its three parts scaled: those along (u, 1) and (-u, 1), and the rest."""
    length = norm(x[:, :-1])
    u = x[:, :-1] / torch.where(length > 0, length, 1)  # 0 at x = 0, where all three scales are one
    inner = (u * v[:, :-1]).sum(1, keepdim=True)
    p, q = along * (v[:, -1:] + inner) / 2, opposite * (v[:, -1:] - inner) / 2
    return torch.cat([across * (v[:, :-1] - u * inner) + u * (p - q), p + q], 1)
