"""The mirror map of the simplex, one to one: log-ratios of the shares one way, softmax the other."""

import math
from typing import Annotated, Literal, final

import torch
from torch import Tensor

from tain import Field, Legendre
from tain_analytic.simplex import Simplex
from tain_analytic.simplex_map import SimplexMap

__all__ = ["SimplexEntropy"]


@final
class SimplexEntropy(SimplexMap, Legendre):
    """Negative entropy, phi(x) = sum of x_i log x_i, in n - 1 coordinates of the simplex of n parts.

    With A the linear map from n logarithms to n - 1 coordinates, and A' its transpose, all follows:

        forward    y = A log x              inverse    x = softmax(A' y)
        pairing    <x, A' y>                conjugate  phi*(y) = log sum exp(A' y)

    `additive` (alr): y_i = log(x_i / x_n), that is A a = (a_i - a_n). The last share is the reference of all others.

    `isometric` (ilr): A = V', where the columns of V are an orthonormal basis of the vectors with sum zero. Distances
    between mirror images are Aitchison's distances between the shares. V is the Householder reflection that takes the
    last unit vector to the diagonal, less its last column, so that V y costs no more than the sum of a row.

    Valid range: `inverse` is in the simplex for every finite y up to 1e30 in size. `inverse(forward(x))` returns each
    share to 1e-5 relative in float32 and 1e-12 in float64 where none is below 1e-6. Shares below 1e-31 in float32
    (1e-292 in float64), zeros among them, count as that number in every function of x, which keeps all results finite.

    Sources:
        Isometric Logratio Transformations for Compositional Data Analysis, https://doi.org/10.1023/A:1023818214614
        The Statistical Analysis of Compositional Data, https://doi.org/10.1111/j.2517-6161.1982.tb01195.x

    Args:
        simplex: the set, of n parts. Samples have shape (B, n), mirror images (B, n - 1).
        coordinates: `isometric` or `additive`.

    Example:
        >>> import torch
        >>> from tain_analytic import Simplex, SimplexEntropy
        >>> mirror = SimplexEntropy(Simplex(3), coordinates="additive")
        >>> y = mirror(torch.tensor([[0.5, 0.25, 0.25]]))
        >>> y
        tensor([[0.6931, 0.0000]])
        >>> mirror.inverse(y)
        tensor([[0.5000, 0.2500, 0.2500]])
    """

    def __init__(
        self,
        simplex: Annotated[Simplex, Field("the set of shares")],
        coordinates: Annotated[
            Literal["isometric", "additive"], Field("orthonormal log-ratios, or log-ratios to the last share")
        ] = "isometric",
    ):
        super().__init__(simplex)
        self.coordinates = coordinates
        (self._parts,) = simplex.event_shape

    def log_det(self, x: Tensor) -> Tensor:
        """log |dy / d(x_1 ... x_(n-1))|: (B, n) to (B,). Additive -sum log x_i; isometric log(n) / 2 less."""
        volume = 0.0 if self.coordinates == "additive" else math.log(self._parts) / 2
        return -self.inside(x).log_().sum(1) - volume

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (event_shape[0] - 1,)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (mirror_shape[0] + 1,)

    def contract(self, a: Tensor) -> Tensor:
        """A a: (B, n) to (B, n - 1); a common shift of a row is lost. May overwrite a."""
        if self.coordinates == "additive":
            return a[:, :-1] - a[:, -1:]
        a = a.sub_(a.mean(1, keepdim=True))  # in place, since time goes into memory here
        # Again, because `expand` would multiply by sqrt(n) what rounding of the mean has left in all entries alike.
        left = a.mean(1, keepdim=True)
        return a[:, :-1] - (left + (a[:, -1:] - left) / (1 + math.sqrt(self._parts)))  # V' a, if the sum of a is zero

    def expand(self, y: Tensor) -> Tensor:
        """A' y: (B, n - 1) to (B, n)."""
        if self.coordinates == "additive":
            return torch.cat([y, torch.zeros_like(y[:, :1])], 1)
        root, total = math.sqrt(self._parts), y.sum(1, keepdim=True)
        shift = total / (self._parts + root)
        return torch.cat([y, shift - total / root], 1).sub_(shift)  # V y = (y - shift, -total / root)
