"""The mirror map of an ellipsoid: the barrier of a ball, in the coordinates where it is one."""

import math
from typing import Annotated, final

from torch import Tensor

from tain import Field, Legendre
from tain_analytic.ball_barrier import BallBarrier
from tain_analytic.ellipsoid import Ellipsoid
from tain_analytic.numerics import like, times

__all__ = ["EllipsoidBarrier"]


@final
class EllipsoidBarrier(Legendre):
    """phi(x) = -beta log(R^2 - (x - c)' P (x - c)), with P = L L', or a milder barrier with a power.

    With the psi of `BallBarrier` on z = L' (x - c), in the ball of radius R:

        forward    y = L psi'(z)            inverse    x = c + L'^-1 psi*'(L^-1 y)

    Valid range: `inverse` is in the ellipsoid for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to
    1e-5 in float32 and 1e-12 in float64, relative to the scale (the longest half axis plus |c|), where z is at least
    1e-6 R inside and the longest half axis at most 100 times the shortest. In every function of x, rows nearer to the
    boundary than 2.2e-16 R in z count as that far inside, which keeps all results finite. It computes in float64, and
    returns the dtype of its argument.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        ellipsoid: the set, in n dimensions. Samples and mirror images have shape (B, n).
        beta: weight of the barrier, above 0.
        power: how fast mirror images grow towards the boundary, from 0.1 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Ellipsoid, EllipsoidBarrier
        >>> mirror = EllipsoidBarrier(Ellipsoid(matrix=[[0.25, 0.0], [0.0, 1.0]], radius=1.0))
        >>> mirror(torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
        tensor([[0.6667, 0.0000],
                [0.0000, 1.3333]])
        >>> mirror.inverse(torch.tensor([[1e30, 0.0]]))
        tensor([[2., 0.]])
    """

    constraint: Ellipsoid

    def __init__(
        self,
        ellipsoid: Annotated[Ellipsoid, Field("the ellipsoid")],
        beta: Annotated[float, Field("weight of the barrier", above=0, below=math.inf)] = 1.0,
        power: Annotated[float, Field("how fast mirror images grow at the boundary", at_least=0.1, at_most=1)] = 1.0,
    ):
        super().__init__()
        self.constraint = ellipsoid
        self.beta = beta
        self.power = power
        self._psi = BallBarrier(ellipsoid.ball, beta, power)
        self._log_volume = 2 * float(ellipsoid.factor.diagonal().log().sum())  # log det P

    def forward(self, x: Tensor) -> Tensor:
        """y = L psi'(z): (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the ellipsoid by more than its tolerance.
        """
        self.constraint.require(x)
        return times(self._psi.forward(self._inside(x)), self.constraint.factor).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """x = c + L'^-1 psi*'(L^-1 y): (B, n) to (B, n)."""
        return self.constraint.from_ball(self._psi.inverse(self.constraint.unscaled(y))).to(y.dtype)

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = psi(z): (B, n) to (B,)."""
        return self._psi.potential(self._inside(x)).to(x.dtype)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = <c, y> + psi*(L^-1 y): (B, n) to (B,)."""
        linear = (y.double() * like(self.constraint.center, y.double())).sum(1)
        return (linear + self._psi.conjugate(self.constraint.unscaled(y))).to(y.dtype)

    def log_det(self, x: Tensor) -> Tensor:
        """That of psi' at z, plus log det P: (B, n) to (B,)."""
        return (self._psi.log_det(self._inside(x)) + self._log_volume).to(x.dtype)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """L psi''(z) L' v: (B, n), (B, n) to (B, n)."""
        turned = times(v.double(), self.constraint.factor.mT)
        return times(self._psi.hessian_vector(self._inside(x), turned), self.constraint.factor).to(x.dtype)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """L'^-1 psi''(z)^-1 L^-1 w: (B, n), (B, n) to (B, n)."""
        turned = self._psi.inverse_hessian_vector(self._inside(x), self.constraint.unscaled(w))
        return self.constraint.stretched(turned).to(x.dtype)

    def _inside(self, x: Tensor) -> Tensor:
        """z in float64, rows that rounding of x has put outside moved back onto the sphere: (B, n) to (B, n)."""
        return self.constraint.ball.project(self.constraint.to_ball(x))
