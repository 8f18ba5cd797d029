"""The mirror map of correlation matrices: their canonical partial correlations."""

import math
from typing import Annotated, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tain import Bijective, Field, ShapeError
from tain_analytic.correlation import Correlation, shrunk
from tain_analytic.symmetric import side, symmetric

__all__ = ["PartialCorrelations"]


@final
class PartialCorrelations(Bijective):
    """y_ij = atanh(z_ij), Fisher's z of the partial correlation of i and j < i, given all before j.

    With Cholesky's factor L of C = L L', whose rows have length one, and r_ij the length of what row i has after
    column j,

        forward    y_ij = asinh(L_ij / r_ij)
        inverse    L_ij = tanh(y_ij) sech(y_i0) ... sech(y_i,j-1),    L_ii = sech(y_i0) ... sech(y_i,i-1)

    asinh(z / sqrt(1 - z^2)) is atanh(z) without its cancellation near 1. Mirror images are vectors: the y_ij row by
    row. Any y gives a correlation matrix, and none is left out but the singular ones.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x|.
    `inverse(forward(x))` returns every entry to 2e-6 in float32 and 1e-14 in float64, both times n, however near to
    singular x is: y is large there, and not known well, but C depends the less on it. `forward(inverse(y))` returns y
    only as far as C, rounded to its dtype, knows it: for n = 5 and entries up to 1 to 1e-6 in float32 (1e-14 in
    float64), up to 2 to 1e-3 (1e-11), up to 3 not at all (1e-8). In every function of x, matrices for which Cholesky's
    method fails are moved by 16 n rounding errors of 1 towards the identity, which keeps all results finite, and no
    others are moved.

    Source: Generating random correlation matrices based on vines and extended onion method,
    https://doi.org/10.1016/j.jmva.2009.04.008

    Args:
        correlation: the set, of n x n matrices. Samples have shape (B, n, n), mirror images (B, n (n - 1) / 2).

    Example:
        >>> import torch
        >>> from tain_analytic import Correlation, PartialCorrelations
        >>> mirror = PartialCorrelations(Correlation(2))
        >>> y = mirror(torch.tensor([[[1.0, 0.5], [0.5, 1.0]]]))
        >>> y
        tensor([[0.5493]])
        >>> mirror.inverse(y)
        tensor([[[1.0000, 0.5000],
                 [0.5000, 1.0000]]])
    """

    constraint: Correlation

    def __init__(self, correlation: Annotated[Correlation, Field("the correlation matrices")]):
        super().__init__()
        self.constraint = correlation
        self._size = correlation.event_shape[0]

    def forward(self, x: Tensor) -> Tensor:
        """y_ij = asinh(L_ij / r_ij), i > j: (B, n, n) to (B, n (n - 1) / 2).

        Raises:
            OutsideSetError: a matrix is outside of the set by more than its tolerance.
        """
        self.constraint.require(x)
        return self._partial(x).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """C = L L', with ones on the diagonal: (B, n (n - 1) / 2) to (B, n, n).

        Raises:
            ShapeError: vectors of another length.
        """
        size = self._size
        if y.ndim != 2 or y.shape[1:] != self.mirror_shape((size, size)):
            wanted = self.mirror_shape((size, size))[0]
            raise ShapeError(
                f"PartialCorrelations: mirror images have shape {tuple(y.shape)}, but must have (B, {wanted})."
            )
        matrix = self._lower(y.double())
        ahead = self._lengths(matrix).exp()
        last = torch.eye(size, dtype=torch.float64, device=y.device)
        L = (matrix.tanh() + last).tril() * torch.cat([torch.ones_like(ahead[:, :, :1]), ahead[:, :, :-1]], 2)
        return shrunk(symmetric(L @ L.mT), 0.0).to(y.dtype)

    def log_det(self, x: Tensor) -> Tensor:
        """log |dy / d(x_ij, i > j)|: (B, n, n) to (B,).

        The volume of x is that of the entries below its diagonal, in which the source states det(C)^(eta - 1).
        Both steps, from C to L and from L to y, are triangular, so it is the sum of
        -log L_jj - log sech(y_ij) - log r_ij over i > j.
        """
        matrix = self._lower(self._partial(x))
        lengths = self._lengths(matrix)
        pivots = lengths.diagonal(dim1=1, dim2=2)  # log L_jj: as y_jj = 0, the sum up to j is that before j
        terms = pivots[:, None] + _log_sech(matrix) + lengths
        return -terms.tril(-1).flatten(1).sum(1).to(x.dtype)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (event_shape[0] * (event_shape[0] - 1) // 2,)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        size = side(mirror_shape, 1, "PartialCorrelations") + 1
        return (size, size)

    def _partial(self, x: Tensor) -> Tensor:
        """y in float64: (B, n, n) to (B, n (n - 1) / 2)."""
        L = self._factor(x)
        # Squares of what row i has after column j, added from its end: 1 less the others would cancel.
        after = L.square().flip(2).cumsum(2).flip(2)[:, :, 1:]
        rows, columns = torch.tril_indices(self._size, self._size, -1, device=x.device)
        return (L[:, rows, columns] / after[:, rows, columns].sqrt()).asinh()

    def _factor(self, x: Tensor) -> Tensor:
        """Cholesky's factor, of matrices that have none after they are moved towards the identity: (B, n, n)."""
        C = shrunk(symmetric(x), 0.0)
        failed = torch.linalg.cholesky_ex(C.detach()).info > 0
        share = 16 * self._size * torch.finfo(x.dtype).eps  # more than a matrix within the tolerance lacks
        factor: Tensor = torch.linalg.cholesky_ex(torch.where(failed[:, None, None], shrunk(C, share), C)).L
        return factor

    def _lower(self, y: Tensor) -> Tensor:
        """y_ij below the diagonal, 0 elsewhere: (B, n (n - 1) / 2) to (B, n, n)."""
        rows, columns = torch.tril_indices(self._size, self._size, -1, device=y.device)
        place = torch.full((self._size, self._size), y.shape[1], device=y.device)
        place[rows, columns] = torch.arange(y.shape[1], device=y.device)
        return torch.cat([y, torch.zeros_like(y[:, :1])], 1)[:, place]

    def _lengths(self, matrix: Tensor) -> Tensor:
        """log r_ij, the sum of log sech(y_ik) over k <= j: (B, n, n) to (B, n, n)."""
        return _log_sech(matrix).cumsum(2)


def _log_sech(y: Tensor) -> Tensor:
    """log(1 / cosh y), for cosh y^-2 = 4 sigmoid(2 y) sigmoid(-2 y): smooth, and finite for every y."""
    return math.log(2) + (logsigmoid(2 * y) + logsigmoid(-2 * y)) / 2
