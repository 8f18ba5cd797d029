"""The mirror map of a box: each coordinate has a map of its own, by the kind of its interval."""

from typing import Annotated, final

from torch import Tensor

from tain import Field, Legendre
from tain_analytic.box import Box
from tain_analytic.interval_product import IntervalProduct
from tain_analytic.intervals import HalfLine

__all__ = ["BoxEntropy"]


@final
class BoxEntropy(Legendre):
    """A potential for each coordinate of a box, by how many of its bounds a <= x <= b are finite.

        two     phi = s log(s / w) + t log(t / w), with s = x - a, t = b - x and w = b - a
                y = log(s / t)      x = a + w sigmoid(y)
        lower   phi = s^2 / 2 - log s, with s = x - a
                y = s - 1 / s       x = a + (y + hypot(y, 2)) / 2
        upper   phi = s^2 / 2 - log s, with s = b - x
                y = 1 / s - s       x = b - (hypot(y, 2) - y) / 2
        none    phi = x^2 / 2
                y = x

    Valid range: `inverse` is in the box for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the larger of |x| and the bounds, where x is at least 1e-6 of that away
    from them. In every function of x, slacks below a margin count as the margin, which keeps all results finite:
    between two bounds 1e-31 of the width in float32 (1e-292 in float64), at a single one 3e-16 (1e-146).
    `potential` and `conjugate` are finite while the squares in them are.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        box: the set, of n coordinates. Samples and mirror images have shape (B, n).

    Example:
        >>> import math, torch
        >>> from tain_analytic import Box, BoxEntropy
        >>> mirror = BoxEntropy(Box(lower=(0.0, 0.0), upper=(1.0, math.inf)))
        >>> mirror(torch.tensor([[0.5, 2.0]]))
        tensor([[0.0000, 1.5000]])
        >>> mirror.inverse(torch.tensor([[-1e30, -1e30], [1e30, 1e30]]))
        tensor([[0.0000e+00, 1.0000e-30],
                [1.0000e+00, 1.0000e+30]])
    """

    constraint: Box

    def __init__(self, box: Annotated[Box, Field("the box of bounds")]):
        super().__init__()
        self.constraint = box
        self._phi = IntervalProduct(box.lower, box.upper, HalfLine)

    def forward(self, x: Tensor) -> Tensor:
        """y = phi'(x), coordinate by coordinate: (B, n) to (B, n).

        Raises:
            OutsideSetError: a row is outside of the box by more than its tolerance.
        """
        self.constraint.require(x)
        return self._phi.gradient(x)

    def inverse(self, y: Tensor) -> Tensor:
        """x = phi*'(y), coordinate by coordinate: (B, n) to (B, n)."""
        return self._phi.inverse(y)

    def potential(self, x: Tensor) -> Tensor:
        """phi(x), the sum over the coordinates: (B, n) to (B,)."""
        return self._phi.potential(x).sum(1)

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y), the sum over the coordinates: (B, n) to (B,)."""
        return self._phi.conjugate(y).sum(1)

    def log_det(self, x: Tensor) -> Tensor:
        """The sum of log phi''(x) over the coordinates: (B, n) to (B,)."""
        return self._phi.hessian(x).log().sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """phi''(x) v: (B, n), (B, n) to (B, n)."""
        return self._phi.hessian(x) * v

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w / phi''(x): (B, n), (B, n) to (B, n)."""
        return w / self._phi.hessian(x)
