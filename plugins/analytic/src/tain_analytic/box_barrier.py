"""The log barrier of a box, and its milder kin with a power."""

import math
from functools import partial
from typing import Annotated, final

from tain import Field
from tain_analytic.box import BoxSet
from tain_analytic.box_map import BoxMap
from tain_analytic.interval_barrier import BoundedBarrier, HalfLineBarrier
from tain_analytic.interval_product import IntervalProduct

__all__ = ["BoxBarrier"]


@final
class BoxBarrier(BoxMap):
    """A barrier for each coordinate of a box, by how many of its bounds a <= x <= b are finite.

    With B(s) = -log s for the power 1, and -s^(1 - power) / (1 - power) for smaller ones, and the weight w:

        two     phi = w B(x - a) + w B(b - x)
                y = w / (b - x)^power - w / (x - a)^power
        lower   phi = s^2 / 2 + w B(s), with s = x - a
                y = s - w / s^power
        upper   phi = s^2 / 2 + w B(s), with s = b - x
                y = w / s^power - s
        none    phi = x^2 / 2
                y = x

    Mirror images grow like 1 / s^power towards a bound. So if data have a density at a bound, the tails of their mirror
    images are those of a power law: with the power 1, the log barrier, they have no mean; a smaller power p tames them,
    and all moments of an order below 1 / p are finite. `BoxEntropy` has lighter tails still.

    Valid range: `inverse` is in the box for every finite y up to 1e30 in size. `inverse(forward(x))` returns x to 1e-5
    in float32 and 1e-12 in float64, relative to the larger of |x| and the bounds, where x is at least 1e-6 of that away
    from them. In every function of x, slacks below a margin count as the margin, which keeps all results finite: 5e-11
    in float32 (5e-98 in float64), between two bounds of half the width. `potential` and `conjugate` are finite while
    the squares in them are. Powers other than 1 are inverted by 8 Newton steps, to rounding errors.

    Sources:
        Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        box: the set, of n coordinates. Samples and mirror images have shape (B, n).
        weight: w, above 0.
        power: how fast mirror images grow towards a bound, from 0.1 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Box, BoxBarrier
        >>> mirror = BoxBarrier(Box(lower=(0.0,), upper=(1.0,)))
        >>> mirror(torch.tensor([[0.25], [0.999]]))
        tensor([[ -2.6667],
                [999.0119]])
        >>> BoxBarrier(mirror.constraint, power=0.25)(torch.tensor([[0.25], [0.999]]))
        tensor([[-0.3396],
                [ 4.6232]])
    """

    def __init__(
        self,
        box: Annotated[BoxSet, Field("the box of bounds, or an orthant")],
        weight: Annotated[float, Field("weight of the barrier", above=0, below=math.inf)] = 1.0,
        power: Annotated[float, Field("how fast mirror images grow at a bound", at_least=0.1, at_most=1)] = 1.0,
    ):
        kinds = (partial(kind, weight=weight, power=power) for kind in (BoundedBarrier, HalfLineBarrier))
        super().__init__(box, IntervalProduct(box.lower, box.upper, *kinds))
        self.weight = weight
        self.power = power
