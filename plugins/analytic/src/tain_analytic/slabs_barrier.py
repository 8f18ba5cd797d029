"""The log barrier of slabs and half spaces, and its milder kin with a power."""

import math
from functools import partial
from typing import Annotated, final

from tain import Field
from tain_analytic.interval_barrier import BoundedBarrier, HalfLineBarrier
from tain_analytic.interval_product import IntervalProduct
from tain_analytic.slabs import SlabSet
from tain_analytic.slabs_map import SlabsMap

__all__ = ["SlabsBarrier"]


@final
class SlabsBarrier(SlabsMap):
    """phi(x) = sum of psi(t_i) + |p|^2 / 2, with t = D x along the directions and p = x - D' t across them.

        forward    y = p + D' psi'(t)       inverse    the same, with the inverse function of psi'

    psi is that of `BoxBarrier` between the bounds of t, with its weight and power.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x| and of
    the scale. A mirror image as large as 1 / slack hides the last digits of what is across: `inverse(forward(x))`
    returns x, relative to the larger of |x| and the bounds, to 1e-5 in float32 where slacks are at least 0.1 of that,
    and to 1e-12 in float64 where they are at least 0.01. Towards a bound this fades to sqrt(eps); there, use
    `SlabsEntropy`. In every function of x, slacks count as at least eps^(1 / (2 power)), between two bounds of half
    the width: with the power 1, 3e-4 in float32 and 1.5e-8 in float64.

    Sources:
        Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
        Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
        https://arxiv.org/abs/2510.08929 (the power)

    Args:
        slabs: the set, `Slabs` or a `HalfSpace` of n dimensions. Samples and mirror images have shape (B, n).
        weight: w, above 0.
        power: how fast mirror images grow towards a bound, from 0.1 to 1.

    Example:
        >>> import torch
        >>> from tain_analytic import Slabs, SlabsBarrier
        >>> mirror = SlabsBarrier(Slabs(directions=[[0.6, 0.8]], lower=[-1.0], upper=[1.0]))
        >>> mirror(torch.tensor([[0.8, -0.6], [0.3, 0.4]]))
        tensor([[ 0.8000, -0.6000],
                [ 0.8000,  1.0667]])
    """

    def __init__(
        self,
        slabs: Annotated[SlabSet, Field("slabs or a half space")],
        weight: Annotated[float, Field("weight of the barrier", above=0, below=math.inf)] = 1.0,
        power: Annotated[float, Field("how fast mirror images grow at a bound", at_least=0.1, at_most=1)] = 1.0,
    ):
        kinds = (partial(kind, weight=weight, power=power, mild=True) for kind in (BoundedBarrier, HalfLineBarrier))
        super().__init__(slabs, IntervalProduct(slabs.bounds.lower, slabs.bounds.upper, *kinds))
        self.weight = weight
        self.power = power
