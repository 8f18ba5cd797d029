"""The entropic mirror map of the second-order cone."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_analytic.interval_entropy import HalfLineEntropy
from tain_analytic.numerics import barrier_margin
from tain_analytic.second_order_cone import SecondOrderCone
from tain_analytic.second_order_cone_map import SecondOrderConeMap

__all__ = ["SecondOrderConeEntropy"]


@final
class SecondOrderConeEntropy(SecondOrderConeMap):
    """phi(x, t) = psi(l) / 2 + psi(m) / 2, the entropy of the eigenvalues l = t + |x| and m = t - |x|.

        psi'(s) = log s   up to s = 1, and s - 1 beyond

    The eigenvalues of the mirror image (z, w) are l' = psi'(l) and m' = psi'(m). With their divided difference
    F = (l' - m') / (l - m):

        forward    z = F x          w = (l' + m') / 2
        inverse    x = z / F        t = (l + m) / 2

    Mirror images grow like a logarithm towards the boundary, so those of data near it have light tails and keep their
    digits.

    Valid range: `inverse` is in the cone for every finite y up to 1e30 in size, up to 4 rounding errors of its length.
    `inverse(forward(x))` returns x, relative to its length, to 1e-5 in float32 and 1e-12 in float64 where m / l is at
    least 1e-6. In every function of x, m below eps l counts as that, since less is not known of it, and l and m below
    5e-11 in float32 (5e-98 in float64) count as that. `potential` and `conjugate` are finite while the squares in them
    are.

    Source: Analysis on Symmetric Cones, Faraut and Korányi 1994 (chapter III, spectral functions)

    Args:
        cone: the set, of n numbers. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import SecondOrderCone, SecondOrderConeEntropy
        >>> mirror = SecondOrderConeEntropy(SecondOrderCone(3))
        >>> y = mirror(torch.tensor([[0.0, 1.5, 2.5]]))
        >>> y
        tensor([[0.0000, 1.5000, 1.5000]])
        >>> mirror.inverse(y)
        tensor([[0.0000, 1.5000, 2.5000]])
    """

    def __init__(self, cone: Annotated[SecondOrderCone, Field("the cone")]):
        super().__init__(cone, HalfLineEntropy(torch.zeros(()).double(), torch.ones(()).double()))

    def _least(self, dtype: torch.dtype) -> float:
        return barrier_margin(dtype) ** (1 / 3)  # so that third derivatives are finite

    def _margin(self, large: Tensor) -> Tensor:
        return torch.finfo(large.dtype).eps * large
