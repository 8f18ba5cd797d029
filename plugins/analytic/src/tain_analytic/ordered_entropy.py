"""The mirror map of ordered numbers, composed of that of an orthant and a change of variables to gaps."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.interval_entropy import HalfLineEntropy
from tain_analytic.ordered import Ordered

__all__ = ["OrderedEntropy"]


@final
class OrderedEntropy(Legendre):
    """phi(x) = x_1^2 / 2 + the sum of psi(x_(i+1) - x_i), with the entropy psi of a half line.

        psi'(s) = log s   up to s = 1, and s - 1 beyond

    With u = D x, the first number and the gaps, and g = (u_1, psi'(u_2), ..., psi'(u_n)):

        forward    y = D' g, so y_i = g_i - g_(i+1) and y_n = g_n
        inverse    g_i = y_i + ... + y_n, then x_i = u_1 + ... + u_i

    D has determinant one, so volumes are those of the gaps, and all costs O(n).

    Valid range: `inverse` is ordered for every finite y up to 1e30 / n in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the row's largest number or 1, where gaps are at least 2e-5, up to
    n = 12 (every number is a sum of gaps, so errors grow with n). In every function of x, gaps below 1e-31 in float32
    (1e-292 in float64) count as that. `potential` and `conjugate` are finite while the squares in them are.

    Source: Convex Analysis, https://doi.org/10.1515/9781400873173 (theorem 12.3)

    Args:
        ordered: the set, of n numbers. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import Ordered, OrderedEntropy
        >>> mirror = OrderedEntropy(Ordered(3))
        >>> y = mirror(torch.tensor([[0.5, 1.5, 4.5]]))
        >>> y
        tensor([[ 0.5000, -2.0000,  2.0000]])
        >>> mirror.inverse(y)
        tensor([[0.5000, 1.5000, 4.5000]])
    """

    constraint: Ordered

    def __init__(self, ordered: Annotated[Ordered, Field("the ordered numbers")]):
        super().__init__()
        self.constraint = ordered
        self._psi = HalfLineEntropy(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """y = D' g: (B, n) to (B, n).

        Raises:
            OutsideSetError: a row descends by more than the tolerance.
        """
        self.constraint.require(x)
        return _transposed(torch.cat([x[:, :1], self._psi.gradient(x.diff(dim=1))], 1))

    def inverse(self, y: Tensor) -> Tensor:
        """x = D^-1 u, with the gaps u at which psi' is D'^-1 y: (B, n) to (B, n)."""
        first, slopes = self._slopes(y)
        return torch.cat([first, self._psi.inverse(slopes)], 1).cumsum(1)

    def potential(self, x: Tensor) -> Tensor:
        """x_1^2 / 2 + the sum of psi(gaps): (B, n) to (B,)."""
        return x[:, 0] ** 2 / 2 + self._psi.potential(x.diff(dim=1)).sum(1)

    def conjugate(self, y: Tensor) -> Tensor:
        """g_1^2 / 2 + the sum of psi*(g_i): (B, n) to (B,)."""
        first, slopes = self._slopes(y)
        return first[:, 0] ** 2 / 2 + self._psi.conjugate(slopes).sum(1)

    def log_det(self, x: Tensor) -> Tensor:
        """The sum of log psi''(gaps): (B, n) to (B,)."""
        return self._psi.log_hessian(x.diff(dim=1)).sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """D' diag(1, psi'') D v: (B, n), (B, n) to (B, n)."""
        return _transposed(torch.cat([v[:, :1], self._psi.hessian(x.diff(dim=1)) * v.diff(dim=1)], 1))

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """D^-1 diag(1, 1 / psi'') D'^-1 w: (B, n), (B, n) to (B, n)."""
        first, slopes = self._slopes(w)
        return torch.cat([first, slopes / self._psi.hessian(x.diff(dim=1))], 1).cumsum(1)

    @staticmethod
    def _slopes(y: Tensor) -> tuple[Tensor, Tensor]:
        """g = D'^-1 y, sums from the end: its first number (B, 1), and the others (B, n - 1)."""
        g = y.flip(1).cumsum(1).flip(1)
        return g[:, :1], g[:, 1:]


def _transposed(g: Tensor) -> Tensor:
    """D' g: (B, n) to (B, n)."""
    return torch.cat([-g.diff(dim=1), g[:, -1:]], 1)
