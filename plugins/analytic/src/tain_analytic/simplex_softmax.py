"""The mirror map of the simplex in as many coordinates as parts: centred log-ratios one way, softmax the other."""

from typing import Annotated, final

from torch import Tensor

from tain import Field
from tain_analytic.simplex import Simplex
from tain_analytic.simplex_map import SimplexMap

__all__ = ["SimplexSoftmax"]


@final
class SimplexSoftmax(SimplexMap):
    """Negative entropy, phi(x) = sum of x_i log x_i, in centred log-ratios (clr): one coordinate for each part.

        forward    y_i = log x_i - mean of log x        inverse    x = softmax(y)
        pairing    <x, y> - mean of y                   conjugate  phi*(y) = log sum exp(y) - mean of y

    No part is special, and every part keeps its own coordinate: so a generator may treat them alike, as diffusion
    language models do. Mirror images have sum zero; `inverse` takes any y, and a common shift of y changes nothing. So
    this is no bijection, and a density in the mirror space is none on the simplex: for that, use `SimplexEntropy`.

    Valid range: that of `SimplexEntropy`.

    Sources:
        The Statistical Analysis of Compositional Data, https://doi.org/10.1111/j.2517-6161.1982.tb01195.x
        SSD-LM: Semi-autoregressive Simplex-based Diffusion Language Model, https://arxiv.org/abs/2210.17432

    Args:
        simplex: the set, of n parts. Samples and mirror images have shape (B, n).

    Example:
        >>> import torch
        >>> from tain_analytic import Simplex, SimplexSoftmax
        >>> mirror = SimplexSoftmax(Simplex(3))
        >>> mirror.inverse(torch.tensor([[1.0, 0.0, 0.0], [8.0, 7.0, 7.0]]))
        tensor([[0.5761, 0.2119, 0.2119],
                [0.5761, 0.2119, 0.2119]])
        >>> mirror(torch.tensor([[0.5, 0.25, 0.25]]))
        tensor([[ 0.4621, -0.2310, -0.2310]])
    """

    def __init__(self, simplex: Annotated[Simplex, Field("the set of shares")]):
        super().__init__(simplex)

    def contract(self, a: Tensor) -> Tensor:
        """a less its mean: (B, n) to (B, n)."""
        return a - a.mean(1, keepdim=True)

    def expand(self, y: Tensor) -> Tensor:
        """The same: (B, n) to (B, n)."""
        return y - y.mean(1, keepdim=True)
