"""The mirror map of the second-order cone: its log barrier, or a milder one with a power, made strongly convex."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_analytic.interval_barrier import HalfLineBarrier
from tain_analytic.numerics import barrier_margin
from tain_analytic.second_order_cone import SecondOrderCone
from tain_analytic.second_order_cone_map import SecondOrderConeMap

__all__ = ["SecondOrderConeBarrier"]


@final
class SecondOrderConeBarrier(SecondOrderConeMap):
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

    def __init__(
        self,
        cone: Annotated[SecondOrderCone, Field("the cone")],
        power: Annotated[float, Field("how fast mirror images grow at the boundary", at_least=0.1, at_most=1)] = 1.0,
    ):
        super().__init__(cone, HalfLineBarrier(torch.zeros(()).double(), torch.ones(()).double(), power=power))
        self.power = power

    def _least(self, dtype: torch.dtype) -> float:
        return barrier_margin(dtype) ** (1 / 3)

    def _margin(self, large: Tensor) -> Tensor:
        return large.clamp(max=1) * torch.finfo(large.dtype).eps ** (1 / (2 * self.power))
