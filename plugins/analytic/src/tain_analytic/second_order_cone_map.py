"""What the mirror maps of the second-order cone have in common: a half line's potential for each of two eigenvalues."""

import abc

import torch
from torch import Tensor

from tain import Legendre
from tain_analytic.divided_difference import are_close
from tain_analytic.intervals import Interval
from tain_analytic.numerics import norm
from tain_analytic.second_order_cone import SecondOrderCone

__all__ = ["SecondOrderConeMap"]


class SecondOrderConeMap(Legendre, abc.ABC):
    """phi(x, t) = psi(l) / 2 + psi(m) / 2, with the eigenvalues l = t + |x| and m = t - |x|, and psi of a half line.

    The eigenvalues of the mirror image (z, w) are l' = psi'(l) and m' = psi'(m). With their divided difference
    F = (l' - m') / (l - m):

        forward    z = F x          w = (l' + m') / 2
        inverse    x = z / F        t = (l + m) / 2

    The base of `SecondOrderConeEntropy` and `SecondOrderConeBarrier`.

    Source: Analysis on Symmetric Cones, Faraut and Korányi 1994 (chapter III, spectral functions)
    """

    constraint: SecondOrderCone

    def __init__(self, cone: SecondOrderCone, psi: Interval):
        super().__init__()
        self.constraint = cone
        self._psi = psi

    @abc.abstractmethod
    def _least(self, dtype: torch.dtype) -> float:
        """What smaller eigenvalues count as."""

    @abc.abstractmethod
    def _margin(self, large: Tensor) -> Tensor:
        """What a smaller m counts as beside l: (B, 1) to (B, 1)."""

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
        t, length = (large + small) / 2, norm(y[:, :-1])
        close = are_close(large, small)
        # l' - m' is 2 |z|, so that |x| = |z| / F is (l - m) / 2, unless that is a difference of numbers too close.
        share = torch.where(close, 1, large - small) / torch.where(close, 1, 2 * length)
        least = self._least(y.dtype)
        mean = self._psi.mean_hessian(large.clamp(min=least), small.clamp(min=least))
        share = torch.where(close, 1 / mean, share)
        # Below that margin, the mean is too small; but |x| is never above t.
        over = share * length > t
        share = torch.where(over, t / torch.where(over, length, 1), share)
        return torch.cat([y[:, :-1] * share, t], 1)

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
        large = large.clamp(min=self._least(x.dtype))
        margin = self._margin(large.detach()).clamp(min=self._least(x.dtype))
        return large, torch.where(small > margin, small, margin)

    def _curvatures(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Hessian's eigenvalues, along (u, 1), along (-u, 1) and across both, with u = x / |x|: (B, 1) each."""
        large, small = self._inside(x)
        slopes = self._psi.gradient(large), self._psi.gradient(small)
        return self._psi.hessian(large), self._psi.hessian(small), self._across(large, small, *slopes)

    def _across(self, large: Tensor, small: Tensor, large_slope: Tensor, small_slope: Tensor) -> Tensor:
        """F: (B, 1)."""
        close = are_close(large, small)
        gap = torch.where(close, 1, large - small)
        return torch.where(close, self._psi.mean_hessian(large, small), (large_slope - small_slope) / gap)


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
