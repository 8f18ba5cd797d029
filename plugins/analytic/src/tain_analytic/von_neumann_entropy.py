"""The mirror map of positive definite matrices by their entropy: the matrix logarithm."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_analytic.interval_entropy import HalfLineEntropy
from tain_analytic.numerics import barrier_margin
from tain_analytic.positive_definite import PositiveDefinite
from tain_analytic.spectral_map import SpectralMap

__all__ = ["VonNeumannEntropy"]


@final
class VonNeumannEntropy(SpectralMap):
    """phi(X) = trace(X log X - X): the matrix logarithm, for eigenvalues up to c = `linear_from`, a square beyond.

        psi = s log s - s                                   y = log s                   (s <= c)
        psi = c log c - c + (s - c) log c + (s - c)^2 / 2 c y = log c + (s - c) / c     (s > c)

    eigenvalue by eigenvalue: value, slope and second derivative fit at c, and so nothing overflows. Up to c,

        forward    Y = log X               inverse    X = exp Y

    and Euclidean distances between mirror images are those of the Log-Euclidean metric. y = vec(Y) is the lower
    triangle row by row, off the diagonal times sqrt 2, so that <x, y> = trace(X Y).

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x|; in
    float32 it is finite while 1e30 c n is, to 1e38. `inverse(forward(x))` returns x, relative to its largest entry, to
    1e-5 in float32 and 1e-12 in float64, for eigenvalues of any size from 1e-20 to 1e20 side by side. Entries are
    known to a rounding error of the largest one, so that no more is known of eigenvalues smaller than that: in every
    function of x, those below eps l, with the largest one l, count as that, and those below 1e-31 (1e-145) count as
    that, which keeps all results finite. `potential` and `conjugate` are finite while the squares in them are.

    Sources:
        Geometric Means in a Novel Vector Space Structure on Symmetric Positive-Definite Matrices,
        https://doi.org/10.1137/050637996
        Matrix Exponentiated Gradient Updates for On-line Learning and Bregman Projection,
        https://jmlr.org/papers/v6/tsuda05a.html

    Args:
        positive_definite: the set, of n x n matrices. Samples have shape (B, n, n), mirror images (B, n (n + 1) / 2).
        linear_from: c, above 0, well above the largest eigenvalue of data.

    Example:
        >>> import torch
        >>> from tain_analytic import PositiveDefinite, VonNeumannEntropy
        >>> mirror = VonNeumannEntropy(PositiveDefinite(2))
        >>> y = mirror(torch.tensor([[[2.5, 1.5], [1.5, 2.5]]]))  # eigenvalues 4 and 1
        >>> y
        tensor([[0.6931, 0.9803, 0.6931]])
        >>> mirror.inverse(y)
        tensor([[[2.5000, 1.5000],
                 [1.5000, 2.5000]]])
    """

    def __init__(
        self,
        positive_definite: Annotated[PositiveDefinite, Field("the positive semidefinite matrices")],
        linear_from: Annotated[
            float, Field("eigenvalue from which the map is no logarithm, but a line", above=0, below=math.inf)
        ] = 1e6,
    ):
        super().__init__()
        self._hold(positive_definite, HalfLineEntropy(torch.zeros(()), torch.ones(()), linear_from))
        self.linear_from = linear_from

    def _margin(self, largest: Tensor, dtype: torch.dtype) -> Tensor:
        floor = max(barrier_margin(dtype), 1e-145)  # in float64, squares of 1 / s must be finite
        return (largest * torch.finfo(dtype).eps).clamp(min=floor)  # less is not known of them
