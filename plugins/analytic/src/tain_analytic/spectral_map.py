"""What mirror maps of positive semidefinite matrices have in common: one function of one variable, eigenvalue-wise."""

import abc
import math

import torch
from torch import Tensor

from tain import Legendre, ShapeError
from tain_analytic.divided_difference import CLOSE, are_close, gauss_legendre
from tain_analytic.intervals import Interval
from tain_analytic.positive_definite import PositiveDefinite
from tain_analytic.spectral import Differences, derivative, eigenvalues, function
from tain_analytic.symmetric import from_vector, side, symmetric, to_vector

__all__ = ["SpectralMap"]


class SpectralMap(Legendre, abc.ABC):
    """phi(X) = trace psi(X), so that with X = U diag(lambda) U', y = vec(U diag(psi'(lambda)) U'). The base of both.

    vec puts a symmetric matrix into a vector: its lower triangle row by row, off the diagonal times sqrt 2, so that
    the dot product of two vectors is trace(X Y). All functions compute in float64 and return the dtype of their
    argument. Derivatives are right where eigenvalues are equal too: two of `forward` and `inverse`, one of the others
    (second ones of `potential`, `conjugate` and `log_det` are NaN there). Any further one is refused by an error.
    """

    constraint: PositiveDefinite

    def _hold(self, positive_definite: PositiveDefinite, psi: Interval) -> None:
        self.constraint = positive_definite
        self._size = positive_definite.event_shape[0]
        self._psi = psi

    @abc.abstractmethod
    def _margin(self, largest: Tensor, dtype: torch.dtype) -> Tensor:
        """The number that smaller eigenvalues of a sample count as, by its largest: (B, 1) to (B, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        """y = vec(U diag(psi'(lambda)) U'): (B, n, n) to (B, n (n + 1) / 2).

        Raises:
            OutsideSetError: a matrix is outside of the set by more than its tolerance.
            ShapeError: matrices in half precision, which holds too little of their small eigenvalues.
        """
        self.constraint.require(x)
        if torch.finfo(x.dtype).bits < 32:
            raise ShapeError(
                f"{type(self).__name__}: samples have dtype {x.dtype}, but half precision holds too little of small "
                "eigenvalues. Use x.float()."
            )
        return to_vector(function(symmetric(x), lambda values: self._images(values, x.dtype))).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """X, the same with the inverse of psi': (B, n (n + 1) / 2) to (B, n, n).

        Raises:
            ShapeError: vectors of another length.
        """
        return function(self._matrix(y), self._samples).to(y.dtype)

    def potential(self, x: Tensor) -> Tensor:
        """phi(X) = the sum of psi(lambda): (B, n, n) to (B,)."""
        return self._psi.potential(self._inside(eigenvalues(symmetric(x)), x.dtype)).sum(1).to(x.dtype)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(Y) = the sum of psi* over the eigenvalues of Y: (B, n (n + 1) / 2) to (B,)."""
        return self._psi.conjugate(eigenvalues(self._matrix(y))).sum(1).to(y.dtype)

    def log_det(self, x: Tensor) -> Tensor:
        """log |dy / d(x_ij, i >= j)|: (B, n, n) to (B,).

        The volume of x is that of the entries of its lower triangle, in which `torch.distributions.Wishart` states its
        density. With the divided differences F of psi' it is the sum of log F_ij over i >= j, plus log sqrt 2 for each
        entry off the diagonal, since those are scaled in y.
        """
        s = self._inside(eigenvalues(symmetric(x)), x.dtype)
        logs = self._slopes(s, self._psi.gradient(s)).log()
        volume = self._size * (self._size - 1) / 4 * math.log(2)
        return (logs.tril().flatten(1).sum(1) + volume).to(x.dtype)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """vec(U (F o (U' v U)) U'), for symmetric v: (B, n, n), (B, n, n) to (B, n (n + 1) / 2)."""
        product = derivative(symmetric(x), symmetric(v), lambda values: self._images(values, x.dtype))
        return to_vector(product).to(x.dtype)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """U ((U' W U) / F) U' with w = vec(W): (B, n, n), (B, n (n + 1) / 2) to (B, n, n)."""

        def undone(values: Tensor) -> Differences:
            s = self._inside(values, x.dtype)
            F = self._slopes(s, self._psi.gradient(s))
            return Differences(s, 1 / F, lambda: -self._second(s, F) / F[:, :, :, None] / F[:, None])

        return derivative(symmetric(x), self._matrix(w), undone).to(x.dtype)

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """<x, y> = trace(X Y): (B, n, n), (B, n (n + 1) / 2) to (B,)."""
        return (to_vector(symmetric(x)) * y.double()).sum(1).to(x.dtype)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (event_shape[0] * (event_shape[0] + 1) // 2,)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        size = side(mirror_shape, 1, type(self).__name__)
        return (size, size)

    def _matrix(self, y: Tensor) -> Tensor:
        return from_vector(y.double(), self._size, type(self).__name__)

    def _inside(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Eigenvalues of a sample, at least its margin: (B, n) to (B, n)."""
        return torch.maximum(values, self._margin(values[:, -1:].detach(), dtype))

    def _images(self, values: Tensor, dtype: torch.dtype) -> Differences:
        """psi' at the eigenvalues of a sample."""
        s = self._inside(values, dtype)
        y = self._psi.gradient(s)
        F = self._slopes(s, y)
        return Differences(y, F, lambda: self._second(s, F))

    def _samples(self, values: Tensor) -> Differences:
        """The inverse of psi' at the eigenvalues of a mirror image; its differences follow from those of psi'."""
        s = self._psi.inverse(values)
        F = self._slopes(s, values)
        return Differences(s, 1 / F, lambda: -self._second(s, F) / F[:, :, :, None] / F[:, None] / F[:, :, None])

    def _slopes(self, s: Tensor, y: Tensor) -> Tensor:
        """F_ij = (y_i - y_j) / (s_i - s_j), for y = psi'(s): (B, n), (B, n) to (B, n, n)."""
        a, b = s[:, :, None], s[:, None]
        close = are_close(a, b)
        gap = torch.where(close, 1, a - b)
        return torch.where(close, self._psi.mean_hessian(a, b), (y[:, :, None] - y[:, None]) / gap)

    def _second(self, s: Tensor, F: Tensor) -> Tensor:
        """T_ikj, the difference of two F that share one of three eigenvalues, divided by that of the other two.

        Any two may be the others; those furthest apart lose least. Of three close ones, it is the mean of the slope of
        psi'' over the triangle between them, by Hermite and Genocchi's formula: (B, n), (B, n, n) to (B, n, n, n).
        """
        i, k, j = s[:, :, None, None], s[:, None, :, None], s[:, None, None]
        ik, kj, ij = F[:, :, :, None], F[:, None], F[:, :, None]
        gaps = torch.stack(torch.broadcast_tensors(i - j, i - k, k - j))
        rises = torch.stack(torch.broadcast_tensors(ik - kj, ij - kj, ik - ij))
        widest = gaps.abs().argmax(0, keepdim=True)
        gap, rise = (z.gather(0, widest)[0] for z in (gaps, rises))
        close = gap.abs() <= CLOSE * torch.maximum(torch.maximum(i, k), j)
        total = torch.zeros_like(gap)
        for u, weight in gauss_legendre(5):
            for v, other in gauss_legendre(5):
                total = total + weight * other * u * self._slope_of_hessian(i + u * (k - i + v * (j - k)))
        return torch.where(close, total, rise / torch.where(close, 1, gap))

    def _slope_of_hessian(self, s: Tensor) -> Tensor:
        """The third derivative of psi."""
        with torch.enable_grad():
            s = s.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self._psi.hessian(s).sum(), s)
        return slope
