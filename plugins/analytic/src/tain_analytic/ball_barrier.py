"""The mirror map of a ball: its log barrier."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.ball import Ball
from tain_analytic.numerics import like, norm

__all__ = ["BallBarrier"]


@final
class BallBarrier(Legendre):
    """The log barrier, phi(x) = -beta log(R^2 - |x - c|^2), of the ball of radius R around c.

    In the unit ball, with u = (x - c) / R and the slack d = 1 - |u|^2 = (1 - |u|)(1 + |u|); q = beta / R:

        forward    y = 2 q u / d            inverse    x = c + R y / (q + hypot(q, |y|))

    A larger beta spreads the middle of the ball further; near the sphere |y| is about q / (1 - |u|), so mirror images
    of data there have heavy tails.

    Valid range: `inverse` is in the ball for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the scale R + |c|, where x is at least 1e-6 of that inside. In every
    function of x, rows nearer to the sphere than one rounding error of R count as that far inside (1.2e-7 R in float32,
    2.2e-16 R in float64; no number in between could tell them apart), which keeps all results finite.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        ball: the set, in n dimensions. Samples and mirror images have shape (B, n).
        beta: weight of the barrier, above 0.

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
    ):
        super().__init__()
        self.constraint = ball
        self.beta = beta
        self._q = beta / ball.radius

    def forward(self, x: Tensor) -> Tensor:
        """y = 2 q u / d: (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the ball by more than its tolerance.
        """
        self.constraint.require(x)
        u, d = self._unit(x)
        return 2 * self._q * u / d

    def inverse(self, y: Tensor) -> Tensor:
        """x = c + R y / (q + hypot(q, |y|)): (B, n) to (B, n)."""
        return like(self.constraint.center, y) + self.constraint.radius * (y / (self._q + self._hypot(norm(y))))

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = -beta log(R^2 d): (B, n) to (B,)."""
        _, d = self._unit(x)
        return -self.beta * (d[:, 0].log() + 2 * math.log(self.constraint.radius))

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = <c, y> + R |y|^2 / (q + h) + beta log(2 R^2 q / (q + h)), h = hypot(q, |y|): (B, n) to (B,)."""
        length, radius = norm(y)[:, 0], self.constraint.radius
        total = self._q + self._hypot(length)
        linear = (like(self.constraint.center, y) * y).sum(1) + radius * length * (length / total)
        return linear + self.beta * (math.log(2 * radius * self.beta) - total.log())

    def log_det(self, x: Tensor) -> Tensor:
        """n log(2 q / (R d)) + log((1 + |u|^2) / d): (B, n) to (B,)."""
        _, d = self._unit(x)
        d = d[:, 0]
        return x.shape[1] * (math.log(2 * self._q / self.constraint.radius) - d.log()) + ((2 - d) / d).log()

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """(2 q / (R d)) (v + 2 u <u, v> / d): (B, n), (B, n) to (B, n)."""
        u, d = self._unit(x)
        return 2 * self._q / self.constraint.radius * (v + 2 * u * ((u * v).sum(1, keepdim=True) / d)) / d

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """(R d / (2 q)) (w - 2 u <u, w> / (1 + |u|^2)): (B, n), (B, n) to (B, n)."""
        u, d = self._unit(x)
        return self.constraint.radius / (2 * self._q) * d * (w - 2 * u * ((u * w).sum(1, keepdim=True) / (2 - d)))

    def _unit(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u = (x - c) / R, (B, n), and d = 1 - |u|^2, (B, 1), as a product: a difference of squares loses digits."""
        u = (x - like(self.constraint.center, x)) / self.constraint.radius
        length = norm(u)
        return u, (1 - length).clamp(min=torch.finfo(x.dtype).eps) * (1 + length)

    def _hypot(self, length: Tensor) -> Tensor:
        return torch.hypot(length, torch.full_like(length, self._q))
