"""The entropic mirror map of a box: log-odds between two bounds, logarithms at a single one."""

from typing import Annotated, final

from tain import Field
from tain_analytic.box import BoxSet
from tain_analytic.box_map import BoxMap
from tain_analytic.interval_entropy import BoundedEntropy, HalfLineEntropy
from tain_analytic.interval_product import IntervalProduct

__all__ = ["BoxEntropy"]


@final
class BoxEntropy(BoxMap):
    """A potential for each coordinate of a box, by how many of its bounds a <= x <= b are finite.

        two     phi = s log(s / w) + t log(t / w), with s = x - a, t = b - x and w = b - a
                y = log(s / t)      x = a + w sigmoid(y)
        one     phi = s log s - s up to s = 1, and (s - 1)^2 / 2 - 1 beyond, with s = x - a, or b - x
                y = log s, and s - 1 beyond; times -1 for an upper bound
        none    phi = x^2 / 2
                y = x

    Mirror images grow like a logarithm towards a bound, so those of data near it have light tails.

    Valid range: `inverse` is in the box for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the larger of |x| and the bounds, where x is at least 1e-6 of that away
    from them. In every function of x, slacks below a margin count as the margin, which keeps all results finite: 1e-31
    in float32 (1e-292 in float64), between two bounds of the width. `potential` and `conjugate` are finite while the
    squares in them are.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        box: the set, of n coordinates. Samples and mirror images have shape (B, n).

    Example:
        >>> import math, torch
        >>> from tain_analytic import Box, BoxEntropy
        >>> mirror = BoxEntropy(Box(lower=(0.0, 0.0), upper=(1.0, math.inf)))
        >>> mirror(torch.tensor([[0.5, 2.0]]))
        tensor([[0., 1.]])
        >>> mirror.inverse(torch.tensor([[-1e30, -1e30], [1e30, 1e30]]))
        tensor([[0.0000e+00, 0.0000e+00],
                [1.0000e+00, 1.0000e+30]])
    """

    def __init__(self, box: Annotated[BoxSet, Field("the box of bounds, or an orthant")]):
        super().__init__(box, IntervalProduct(box.lower, box.upper, BoundedEntropy, HalfLineEntropy))
