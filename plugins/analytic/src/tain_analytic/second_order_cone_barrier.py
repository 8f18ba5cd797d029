"""The mirror map of the second-order cone: its log barrier, or a milder one with a power, made strongly convex."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.divided_difference import are_close, mean_hessian
from tain_analytic.interval_barrier import HalfLineBarrier
from tain_analytic.numerics import barrier_margin, norm
from tain_analytic.second_order_cone import SecondOrderCone

__all__ = ["SecondOrderConeBarrier"]


@final
class SecondOrderConeBarrier(Legendre):
    """phi(x, t) = (|x|^2 + t^2) / 2 + B(l) / 2 + B(m) / 2, with the eigenvalues l = t + |x| and m = t - |x|.

    B(s) = -log s for the power 1, so that phi has the log barrier -log(t^2 - |x|^2) / 2, and -s^(1 - p) / (1 - p) for
    a power p below 1, which tames the tails of mirror images (see `BoxBarrier`). The barrier alone maps the cone onto
    its negative, not onto the whole space; half the square mends that. So phi = psi(l) / 2 + psi(m) / 2 with the psi of
    a half line, s^2 / 2 + B(s), and all is as there, eigenvalue by eigenvalue: l' = psi'(l) and m' = psi'(m) are those
    of the mirror image (z, w). With their divided difference F = (l' - m') / (l - m), which is 1 + 1 / (l m) for the
    power 1:

        forward    z = F x          w = (l' + m') / 2
        inverse    x = z / F        t = (l + m) / 2

    Valid range: `inverse` is in the cone for every finite y up to 1e30 in size, up to 4 rounding errors of its length.
    The mirror image is as large as 1 / m, and so are its rounding errors. `inverse(forward(x))` returns x, relative to
    its length, to 1e-5 in float32 where m / l is at least 0.1, and to 1e-12 in float64 where it is at least 0.01, and
    so is m. Towards the boundary this fades to sqrt(eps), 3e-4 in float32 and 1e-8 in float64. In every function of
    x, m below sqrt(eps) min(l, 1) counts as that (eps^(1 / (2 p)) for other powers), since nearer to the boundary
    rounding would spoil l; and l and m below 5e-11 (5e-98) count as that, which keeps all results finite. `potential`
    and `conjugate` are finite while the squares in them are.

    Sources:
        Analysis on Symmetric Cones, Faraut and Korányi 1994 (chapter III, spectral functions)
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        cone: the set, of n numbers. Samples and mirror images have shape (B, n).
        power: how fast mirror images grow towards the boundary, from 0.1 to 1.

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

    def __init__(
        self,
        cone: Annotated[SecondOrderCone, Field("the cone")],
        power: Annotated[float, Field("how fast mirror images grow at the boundary", at_least=0.1, at_most=1)] = 1.0,
    ):
        super().__init__()
        self.constraint = cone
        self.power = power
        self._psi = HalfLineBarrier(torch.zeros(()).double(), torch.ones(()).double(), power=power)

    def forward(self, x: Tensor) -> Tensor:
        """(F x, (l' + m') / 2): (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the cone by more than its tolerance.
        """
        self.constraint.require(x)
        large, small = self._inside(x)
        length = norm(x[:, :-1])
        # Where a margin counts, |x| is what l and m leave of it; else they would not belong to one sample.
        within = torch.where(small > x[:, -1:] - length, (large - small) / 2 / torch.where(length > 0, length, 1), 1)
        slopes = self._psi.gradient(large), self._psi.gradient(small)
        across = self._across(large, small, *slopes)
        return torch.cat([x[:, :-1] * within * across, (slopes[0] + slopes[1]) / 2], 1)

    def inverse(self, y: Tensor) -> Tensor:
        """(z / F, (l + m) / 2): (B, n) to (B, n)."""
        slopes = _eigenvalues(y)
        large, small = map(self._psi.inverse, slopes)
        if self.power == 1:  # 1 / F = l m / (1 + l m), where l m may underflow
            h, k = (torch.hypot(slope, torch.full_like(slope, 2)) for slope in slopes)
            share = (large + small) / (h + k)
        else:  # l' - m' is 2 |z|, so that |x| = |z| / F is (l - m) / 2, unless that difference is of numbers too close
            length, close = norm(y[:, :-1]), are_close(large, small)
            share = torch.where(close, 1, large - small) / torch.where(close, 1, 2 * length)
            mean = mean_hessian(self._psi, large, small)
            share = torch.where(close, 1 / mean, share)
            # Below the margin of psi'', the mean is too small; but |x| is never above t.
            t = (large + small) / 2
            over = share * length > t
            share = torch.where(over, t / torch.where(over, length, 1), share)
        return torch.cat([y[:, :-1] * share, (large + small) / 2], 1)

    def potential(self, x: Tensor) -> Tensor:
        """psi(l) / 2 + psi(m) / 2: (B, n) to (B,)."""
        large, small = self._inside(x)
        return ((self._psi.potential(large) + self._psi.potential(small)) / 2)[:, 0]

    def conjugate(self, y: Tensor) -> Tensor:
        """psi*(l') / 2 + psi*(m') / 2: (B, n) to (B,)."""
        large, small = _eigenvalues(y)
        return ((self._psi.conjugate(large) + self._psi.conjugate(small)) / 2)[:, 0]

    def log_det(self, x: Tensor) -> Tensor:
        """log psi''(l) + log psi''(m) + (n - 2) log F: (B, n) to (B,)."""
        along, opposite, across = self._curvatures(x)
        return (along.log() + opposite.log() + (x.shape[1] - 2) * across.log())[:, 0]

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """v times the curvatures psi''(l), psi''(m) and, across them, F: (B, n), (B, n) to (B, n)."""
        along, opposite, across = self._curvatures(x)
        return _scaled(x, v, along, opposite, across)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w divided by these curvatures: (B, n), (B, n) to (B, n)."""
        along, opposite, across = self._curvatures(x)
        return _scaled(x, w, 1 / along, 1 / opposite, 1 / across)

    def _inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """l and m, at least their margins: (B, n) to (B, 1) each."""
        large, small = _eigenvalues(x)
        large = large.clamp(min=barrier_margin(x.dtype) ** (1 / 3))
        margin = large.detach().clamp(max=1) * torch.finfo(x.dtype).eps ** (1 / (2 * self.power))
        margin = margin.clamp(min=barrier_margin(x.dtype) ** (1 / 3))
        return large, torch.where(small > margin, small, margin)

    def _curvatures(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Hessian's eigenvalues, along (u, 1), along (-u, 1) and across both, with u = x / |x|: (B, 1) each."""
        large, small = self._inside(x)
        slopes = self._psi.gradient(large), self._psi.gradient(small)
        return self._psi.hessian(large), self._psi.hessian(small), self._across(large, small, *slopes)

    def _across(self, large: Tensor, small: Tensor, large_slope: Tensor, small_slope: Tensor) -> Tensor:
        """F: (B, 1)."""
        if self.power == 1:
            return 1 + 1 / large / small
        close = are_close(large, small)
        gap = torch.where(close, 1, large - small)
        return torch.where(close, mean_hessian(self._psi, large, small), (large_slope - small_slope) / gap)


def _eigenvalues(x: Tensor) -> tuple[Tensor, Tensor]:
    """t + |x| and t - |x|: (B, n) to (B, 1) each."""
    length, t = norm(x[:, :-1]), x[:, -1:]
    return t + length, t - length


def _scaled(x: Tensor, v: Tensor, along: Tensor, opposite: Tensor, across: Tensor) -> Tensor:
    """v, each of its three parts scaled: those along (u, 1) and (-u, 1), and the rest."""
    length = norm(x[:, :-1])
    u = x[:, :-1] / torch.where(length > 0, length, 1)  # 0 at x = 0, where all three scales are one
    inner = (u * v[:, :-1]).sum(1, keepdim=True)
    p, q = along * (v[:, -1:] + inner) / 2, opposite * (v[:, -1:] - inner) / 2
    return torch.cat([across * (v[:, :-1] - u * inner) + u * (p - q), p + q], 1)
