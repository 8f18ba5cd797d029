"""The mirror map of a polytope: its log barrier, or a milder one with a power."""

import math
from typing import Annotated, Any, final

import torch
from torch import Tensor

from tain import Constraint, DataError, Field, Legendre
from tain_analytic.interval_barrier import barrier
from tain_analytic.linear_rules import polytope_of
from tain_analytic.newton import LONGEST, solve
from tain_analytic.newton_power import longest_slope, solve_power
from tain_analytic.numerics import norm
from tain_analytic.polytope import Polytope
from tain_analytic.weighted import log_det, solve_linear

__all__ = ["PolytopeBarrier"]


@final
class PolytopeBarrier(Legendre):
    """The barrier phi(x) = w sum_i B(s_i(x)), with the Euclidean slacks s = h - G z of a polytope.

    B(s) = -log s for the power p = 1, the log barrier, and -s^(1 - p) / (1 - p) for a power below 1, which tames the
    tails of mirror images (see `BoxBarrier`).

    Mirror images are gradients in the f free coordinates of the equations' solutions, x = origin + N z with orthonormal
    columns N (the unit matrix where there are no equations); volumes are Lebesgue's in these coordinates.

        forward   y = w G' (1 / s^p)   pairing   <N' x, y>     Hessian   w p G' diag(1 / s^(1 + p)) G

    `inverse` solves the first for x, in float64, from the analytic centre c: for the power 1 by a primal-dual Newton
    method in 5 to 20 steps (see `newton`), for others by a damped one in 10 to 40 (see `newton_power`). Its derivative
    is the inverse Hessian, by the implicit function theorem, at the slacks of the solution, which are exact where those
    of the rounded x are not; it can be taken twice.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, and solves its equation to 1e-9 relative
    where |y| is at most 1e12 in the metric of the centre, sqrt(y' H(c)^-1 y) / sqrt(w), or about 1e9^p for other
    powers; a larger y counts as one of that size in its direction, which leaves slacks of about 1e-12 (1e-9 for other
    powers). `inverse(forward(x))` returns x to 1e-8 of the scale in float64 where all slacks are at least 1e-6 of it.
    In float32, y itself is rounded to 6e-8 of its size, which is about w / s near a facet; what that hides of the
    directions along the facet moves x by up to 1e-8 scale^2 / s. So 1e-5 of the scale are kept only where slacks are at
    least 1e-3 of it. In every function of x, slacks below one rounding error of the scale count as that, which keeps
    results finite.

    A row's answer does not depend on other rows, except that matrix products of another batch size may round
    differently in the last digits.

    Sources:
        Mirror Diffusion Models, https://arxiv.org/abs/2308.06342
        Interior-Point Polynomial Algorithms in Convex Programming, https://doi.org/10.1137/1.9781611970791
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        polytope: the set, in n dimensions. Samples have shape (B, n), mirror images (B, f).
        weight: w, above 0.
        power: p, how fast mirror images grow towards a facet, from 0.25 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Polytope, PolytopeBarrier
        >>> mirror = PolytopeBarrier(Polytope([[1.0], [-1.0]], [1.0, 1.0]))  # the interval from -1 to 1
        >>> mirror(torch.tensor([[0.5]]))
        tensor([[1.3333]])
        >>> mirror.inverse(torch.tensor([[4 / 3], [0.0], [1e30]]))
        tensor([[0.5000],
                [0.0000],
                [1.0000]])
    """

    constraint: Constraint

    def __init__(
        self,
        polytope: Annotated[Polytope, Field("the polytope")],
        weight: Annotated[float, Field("weight of the barrier", above=0, below=math.inf)] = 1.0,
        power: Annotated[float, Field("how fast mirror images grow at a facet", at_least=0.25, at_most=1)] = 1.0,
    ):
        super().__init__()
        self.constraint = self.polytope = polytope
        self.weight = weight
        self.power = power
        self._center, L = _analytic_center(polytope)
        self._slacks = polytope._h - polytope._G @ self._center
        # Coordinates u with z = c + L'^-1 u, in which slacks are s_c (1 - E u): see `newton`.
        self._L = L
        self._back = torch.linalg.inv(L)
        self._E = (polytope._G / self._slacks[:, None]) @ self._back.mT

    @classmethod
    def of(cls, constraint: Constraint) -> "PolytopeBarrier | None":
        """The map of that very rule, if its set is a polytope (see `polytope_of`); so `mirror_for` has to give it.

        Raises:
            ConfigurationError: the set is linear, but `Polytope` refuses it.
        """
        polytope = polytope_of(constraint)
        if polytope is None:
            return None
        made = cls(polytope)
        made.constraint = constraint
        return made

    def forward(self, x: Tensor) -> Tensor:
        """y = w G' (1 / s^p): (B, n) to (B, f).

        Raises:
            OutsideSetError: a row is outside of the polytope by more than its tolerance.
        """
        self.constraint.require(x)
        return (self.weight / self._inside(x) ** self.power @ self._on(x, self.polytope._G)).to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """The x with forward(x) = y: (B, f) to (B, n).

        Raises:
            DataError: a row is not finite.
        """
        return self._solved(y)[0]

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = w sum B(s): (B, n) to (B,)."""
        return (self.weight * barrier(self._inside(x), self.power).sum(1)).to(x.dtype)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = <N' x, y> - phi(x) at x = inverse(y): (B, f) to (B,). Its gradient is N' x."""
        x, sigma = self._solved(y)
        with torch.no_grad():
            potential = self.weight * barrier(sigma * self._on(y, self._slacks), self.power).sum(1)
            value = (self._flat(x) * y.double()).sum(1) - potential
        return _Envelope.apply(y, self._flat(x).to(y.dtype), value.to(y.dtype))

    def log_det(self, x: Tensor) -> Tensor:
        """log det of w p G' diag(1 / s^(1 + p)) G, the volume that of z: (B, n) to (B,)."""
        constant = len(self._L) * math.log(self.weight * self.power) + 2 * float(self._L.diagonal().log().sum())
        return (constant + log_det(self._on(x, self._E), self._inverse_weights(x))).to(x.dtype)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """w p G' (G N' v / s^(1 + p)), for tangents v with C v = 0: (B, n), (B, n) to (B, f)."""
        G = self._on(x, self.polytope._G)
        scaled = (self._flat(v) @ G.mT) / self._inside(x) ** (1 + self.power)
        return (self.weight * self.power * scaled @ G).to(x.dtype)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """N (w p G' diag(1 / s^(1 + p)) G)^-1 w, a tangent: (B, n), (B, f) to (B, n)."""
        back = self._on(x, self._back)
        v = solve_linear(
            self._on(x, self._E), self._inverse_weights(x), w.double() @ back.mT / (self.weight * self.power)
        )
        return (v @ back @ self._on(x, self.polytope._hull.basis).mT).to(x.dtype)

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """<N' x, y>: (B, n), (B, f) to (B,). Without equations, <x, y>."""
        return (self._flat(x) * y.double()).sum(1).to(y.dtype)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (len(self._L),)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.polytope.event_shape

    def _solved(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """x = inverse(y), and sigma, its slacks relative to the centre's, which keep their digits when tiny."""
        finite = y.isfinite().all(1)
        if not bool(finite.all()):
            row = int((~finite).nonzero()[0])
            raise DataError(f"PolytopeBarrier.inverse: row {row} is {y[row].tolist()[:5]}, but must be finite numbers.")
        back, center = self._on(y, self._back), self._on(y, self._center)
        eta = y.double() @ back.mT / self.weight
        factors = self._on(y, self._slacks) ** (1 - self.power)
        longest = LONGEST if self.power == 1 else longest_slope(factors, self.power)
        eta = eta * (longest / norm(eta).clamp(min=longest))
        u, sigma = _Implicit.apply(eta, self._on(y, self._E), factors, self.power)
        with torch.no_grad():  # where rounding of u puts it outside, by 1e-13 or so: back along the way to the centre
            over = (u @ self._on(y, self._E).mT).amax(1, keepdim=True)
            share = 1 / over.clamp(min=1)
        return self.polytope.expand(center + (share * u) @ back).to(y.dtype), sigma

    def _inverse_weights(self, x: Tensor) -> Tensor:
        """q: the Hessian is w p E' diag(1 / q) E in the coordinates u."""
        return self._inside(x) ** (1 + self.power) / self._on(x, self._slacks).square()

    def _inside(self, x: Tensor) -> Tensor:
        return self.polytope.slack(x).clamp(min=torch.finfo(x.dtype).eps * self.polytope.scale)

    def _flat(self, v: Tensor) -> Tensor:
        """N' v: (B, n) to (B, f) float64."""
        return v.double() @ self._on(v, self.polytope._hull.basis)

    @staticmethod
    def _on(x: Tensor, constant: Tensor) -> Tensor:
        return constant.to(x.device)


class _Implicit(torch.autograd.Function):
    """u and sigma with E' (a / sigma^p) = eta and sigma = 1 - E u; du = (p E' diag(a / sigma^(1 + p)) E)^-1 d eta."""

    @staticmethod
    def forward(ctx: Any, eta: Tensor, E: Tensor, a: Tensor, power: float) -> tuple[Tensor, Tensor]:
        u, sigma, _ = solve(E, eta) if power == 1 else solve_power(E, a, eta, power)
        ctx.save_for_backward(sigma, E, a)
        ctx.power = power
        return u, sigma

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None]:
        sigma, E, a = ctx.saved_tensors
        inverse_weights = sigma ** (1 + ctx.power) / (ctx.power * a)
        return solve_linear(E, inverse_weights, slopes[0] - slopes[1] @ E), None, None, None


class _Envelope(torch.autograd.Function):
    """`value` as a function of y with the gradient `slope`, which may have derivatives of its own."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, slope: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradient[:, None] * slope, None, None


def _analytic_center(polytope: Polytope) -> tuple[Tensor, Tensor]:
    """The least potential, by damped Newton steps from the Chebyshev centre: z (f,), and L (f, f) with
    L L' = G' diag(1 / s^2) G there."""
    G, h, z = polytope._G, polytope._h, polytope._center
    for _ in range(1000):
        s = h - G @ z
        L = torch.linalg.cholesky((G / s[:, None]).mT @ (G / s[:, None]))
        dz = -torch.cholesky_solve((G.mT @ (1 / s))[:, None], L)[:, 0]
        decrement = float((L.mT @ dz).norm())
        z = z + dz / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-13 * len(h):
            break
    return z, torch.linalg.cholesky((G / (h - G @ z)[:, None]).mT @ (G / (h - G @ z)[:, None]))
