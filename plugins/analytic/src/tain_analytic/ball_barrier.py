"""The mirror map of a ball: its log barrier, or a milder one with a power."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.ball import Ball
from tain_analytic.numerics import like, norm
from tain_analytic.power_roots import ball_root

__all__ = ["BallBarrier"]


@final
class BallBarrier(Legendre):
    """phi(x) = beta B(R^2 - |x - c|^2), a barrier of the ball of radius R around c.

    B(s) = -log s for the power 1, the log barrier, and -s^(1 - p) / (1 - p) for a power p below 1. In the unit ball,
    with u = (x - c) / R and the slack d = 1 - |u|^2 = (1 - |u|)(1 + |u|); q = beta R^(1 - 2 p):

        forward    y = 2 q u / d^p          inverse    x = c + R y / (2 q w)

    where w = 1 / d^p. For the power 1 it is (1 + hypot(1, |y| / q)) / 2, else the root of an equation in |y| alone.

    A larger beta spreads the middle of the ball further. Near the sphere |y| grows like 1 / (1 - |u|)^p. So if data
    have a density there, the tails of their mirror images are those of a power law: with the power 1 they have no mean;
    a smaller power tames them, and all moments of an order below 1 / p are finite.

    Valid range: `inverse` is in the ball for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the scale R + |c|, where x is at least 1e-6 of that inside. In every
    function of x, rows nearer to the sphere than one rounding error of R count as that far inside (1.2e-7 R in float32,
    2.2e-16 R in float64; no number in between could tell them apart), which keeps all results finite.

    Sources:
        Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        ball: the set, in n dimensions. Samples and mirror images have shape (B, n).
        beta: weight of the barrier, above 0.
        power: p, how fast mirror images grow towards the sphere, from 0.1 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Ball, BallBarrier
        >>> mirror = BallBarrier(Ball(2, radius=1.0))
        >>> mirror(torch.tensor([[0.6, 0.0]]))
        tensor([[1.8750, 0.0000]])
        >>> mirror.inverse(torch.tensor([[0.0, 0.0], [0.0, 1e30]]))
        tensor([[0., 0.],
                [0., 1.]])
    """

    constraint: Ball

    def __init__(
        self,
        ball: Annotated[Ball, Field("the ball")],
        beta: Annotated[float, Field("weight of the barrier", above=0, below=math.inf)] = 1.0,
        power: Annotated[float, Field("how fast mirror images grow at the sphere", at_least=0.1, at_most=1)] = 1.0,
    ):
        super().__init__()
        self.constraint = ball
        self.beta = beta
        self.power = power
        self._q = beta * ball.radius ** (1 - 2 * power)
        self._moved = bool(ball.center.any())  # to add a centre of zero would cost as much as the rest

    def forward(self, x: Tensor) -> Tensor:
        """y = 2 q u / d^p: (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the ball by more than its tolerance.
        """
        self.constraint.require_shape(x)
        away, length = self._away(x)
        if not bool((length < 1).all()):  # strictly inside, rows need no closer look
            self.constraint.require(x)
        return away * (2 * self._q / self.constraint.radius / self._slack(length) ** self.power)

    def inverse(self, y: Tensor) -> Tensor:
        """x = c + R y / (2 q w): (B, n) to (B, n)."""
        share = self.constraint.radius / (2 * self._q) / self._w(norm(y))
        return torch.addcmul(like(self.constraint.center, y), y, share) if self._moved else y * share

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = beta B(R^2 d): (B, n) to (B,)."""
        return self._barrier(self._unit(x)[1].log() * self.power)[:, 0]

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = <c, y> + R |y|^2 / (2 q w) - phi, with phi at d = 1 / w^(1 / p): (B, n) to (B,)."""
        length = norm(y)
        w = self._w(length)
        radial = self.constraint.radius * length * (length / (2 * self._q) / w)
        linear = (like(self.constraint.center, y) * y).sum(1)
        return linear + (radial - self._barrier(-w.log()))[:, 0]

    def log_det(self, x: Tensor) -> Tensor:
        """n log(2 q / (R d^p)) + log((d + 2 p |u|^2) / d): (B, n) to (B,)."""
        d = self._slack(self._away(x)[1])[:, 0]
        across = math.log(2 * self._q / self.constraint.radius) - self.power * d.log()
        return x.shape[1] * across + (self._along(d) / d).log()

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """(2 q / (R d^p)) (v + 2 p u <u, v> / d): (B, n), (B, n) to (B, n)."""
        u, d = self._unit(x)
        inner = (u * v).sum(1, keepdim=True)
        return 2 * self._q / self.constraint.radius * (v + 2 * self.power * u * (inner / d)) / d**self.power

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """(R d^p / (2 q)) (w - 2 p u <u, w> / (d + 2 p |u|^2)): (B, n), (B, n) to (B, n)."""
        u, d = self._unit(x)
        inner = (u * w).sum(1, keepdim=True) / self._along(d)
        return self.constraint.radius / (2 * self._q) * d**self.power * (w - 2 * self.power * u * inner)

    def _away(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x - c, (B, n), and |x - c| / R, (B, 1)."""
        away = x - like(self.constraint.center, x) if self._moved else x
        # In the ball, a square that underflows belongs to a length far below the rounding errors of d.
        return away, torch.linalg.vector_norm(away, dim=1, keepdim=True) / self.constraint.radius

    def _unit(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u, (B, n), and d, (B, 1)."""
        away, length = self._away(x)
        return away / self.constraint.radius, self._slack(length)

    def _slack(self, length: Tensor) -> Tensor:
        """d = 1 - |u|^2, as a product: a difference of squares loses digits."""
        return (1 - length).clamp(min=torch.finfo(length.dtype).eps) * (1 + length)

    def _along(self, d: Tensor) -> Tensor:
        """d + 2 p |u|^2: d times the curvature along u, relative to that across."""
        return d + 2 * self.power * (1 - d)

    def _w(self, length: Tensor) -> Tensor:
        """w = 1 / d^p where the mirror image has this length."""
        if self.power == 1:
            return (1 + torch.hypot(length / self._q, torch.ones_like(length))) / 2
        return ball_root(length / (2 * self._q), self.power)

    def _barrier(self, log_d_p: Tensor) -> Tensor:
        """beta B(R^2 d), from p log d."""
        log_slack = log_d_p / self.power + 2 * math.log(self.constraint.radius)
        if self.power == 1:
            return -self.beta * log_slack
        return -self.beta / (1 - self.power) * ((1 - self.power) * log_slack).exp()
