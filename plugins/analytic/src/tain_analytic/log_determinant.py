"""The mirror map of positive definite matrices by their log-determinant: its barrier made strongly convex."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_analytic.interval_barrier import HalfLineBarrier
from tain_analytic.numerics import barrier_margin
from tain_analytic.positive_definite import PositiveDefinite
from tain_analytic.spectral_map import SpectralMap

__all__ = ["LogDeterminant"]


@final
class LogDeterminant(SpectralMap):
    """phi(X) = |X|^2 / 2 - log det X, or with a milder barrier.

    The barrier -log det X alone has only negative definite images -X^-1, which a generator could leave; half the square
    lets Y take every symmetric value. It is a half line's s^2 / 2 - log s, eigenvalue by eigenvalue:

        forward    Y = X - X^-1            inverse    X = (Y + (Y^2 + 4 I)^(1/2)) / 2

    With a power p below 1 it is s^2 / 2 - s^(1 - p) / (1 - p) instead, so Y = X - X^-p, which tames the tails of mirror
    images (see `BoxBarrier`). y = vec(Y) is the lower triangle row by row, off the diagonal times sqrt 2, so that
    <x, y> = trace(X Y).

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x|. The
    mirror image is as large as the inverse of the least eigenvalue m, and so are its rounding errors. With the largest
    eigenvalue l, `inverse(forward(x))` returns x, relative to its largest entry, to 1e-5 in float32 where m is at least
    0.01 min(l, 1), and to 1e-12 in float64 where it is at least 0.001 min(l, 1). Towards the boundary this fades to
    5 sqrt(eps), 2e-3 in float32 and 8e-8 in float64. In every function of x, eigenvalues below sqrt(eps) min(l, 1)
    count as that (eps^(1 / (2 p)) for other powers), since nearer to the boundary rounding would spoil l; and those
    below 3e-16 (1e-95) count as that, which keeps all results finite. `potential` and `conjugate` are finite while the
    squares in them are.

    Sources:
        Interior-Point Polynomial Algorithms in Convex Programming, https://doi.org/10.1137/1.9781611970791
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        positive_definite: the set, of n x n matrices. Samples have shape (B, n, n), mirror images (B, n (n + 1) / 2).
        power: p, how fast mirror images grow towards the boundary, from 0.1 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import LogDeterminant, PositiveDefinite
        >>> mirror = LogDeterminant(PositiveDefinite(2))
        >>> y = mirror(torch.tensor([[[2.0, 0.0], [0.0, 0.5]]]))
        >>> y
        tensor([[ 1.5000,  0.0000, -1.5000]])
        >>> mirror.inverse(y)
        tensor([[[2.0000, 0.0000],
                 [0.0000, 0.5000]]])
    """

    def __init__(
        self,
        positive_definite: Annotated[PositiveDefinite, Field("the positive semidefinite matrices")],
        power: Annotated[float, Field("how fast mirror images grow at the boundary", at_least=0.1, at_most=1)] = 1.0,
    ):
        super().__init__()
        self.power = power
        self._hold(positive_definite, HalfLineBarrier(torch.zeros(()), torch.ones(()), power=power))

    def _margin(self, largest: Tensor, dtype: torch.dtype) -> Tensor:
        # y is as large as 1 / s^power; below this margin, its rounding errors would spoil the largest eigenvalue.
        floor = max(barrier_margin(dtype) ** 0.5, 1e-95)  # in float64, cubes of 1 / s must be finite
        return (largest.clamp(max=1) * torch.finfo(dtype).eps ** (1 / (2 * self.power))).clamp(min=floor)
