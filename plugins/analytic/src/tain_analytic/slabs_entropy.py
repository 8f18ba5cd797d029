"""The entropic mirror map of slabs and half spaces."""

from typing import Annotated, final

from tain import Field
from tain_analytic.interval_entropy import BoundedEntropy, HalfLineEntropy
from tain_analytic.interval_product import IntervalProduct
from tain_analytic.slabs import SlabSet
from tain_analytic.slabs_map import SlabsMap

__all__ = ["SlabsEntropy"]


@final
class SlabsEntropy(SlabsMap):
    """phi(x) = sum of psi(t_i) + |p|^2 / 2, with t = D x along the directions and p = x - D' t across them.

        forward    y = p + D' psi'(t)       inverse    the same, with the inverse function of psi'

    psi by how many bounds a <= t <= b of a direction are finite:

        two     psi = s log(s / w) + r log(r / w), with s = t - a, r = b - t and w = b - a
                psi' = log(s / r)
        one     psi = s log s - s up to s = 1, and s^2 / 2 - s - 1/2 beyond, with s = t - a, or b - t
                psi' = log s, and s - 1 beyond; times -1 for an upper bound

    Both grow like a logarithm at a bound, so that what is across keeps its digits beside them.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size, up to 4 rounding errors of |x| and of
    the scale. `inverse(forward(x))` returns x to 1e-5 in float32 and 1e-12 in float64, relative to the larger of |x|
    and the bounds, where x is at least 1e-6 of that away from them. In every function of x, slacks below a margin count
    as the margin, which keeps all results finite: 1e-31 in float32 (1e-292 in float64), of the width of a slab.
    `potential` and `conjugate` are finite while the squares in them are.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        slabs: the set, `Slabs` or a `HalfSpace` of n dimensions. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import Slabs, SlabsEntropy
        >>> mirror = SlabsEntropy(Slabs(directions=[[0.6, 0.8]], lower=[-1.0], upper=[1.0]))
        >>> mirror(torch.tensor([[0.8, -0.6]]))
        tensor([[ 0.8000, -0.6000]])
        >>> mirror.inverse(torch.tensor([[60.0, 80.0]]))
        tensor([[0.6000, 0.8000]])
    """

    def __init__(self, slabs: Annotated[SlabSet, Field("slabs or a half space")]):
        super().__init__(
            slabs, IntervalProduct(slabs.bounds.lower, slabs.bounds.upper, BoundedEntropy, HalfLineEntropy)
        )
