"""Symmetric positive semidefinite matrices, such as covariances and diffusion tensors."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal
from tain_analytic.numerics import norm, require_margin
from tain_analytic.spectral import Differences, eigenvalues, function
from tain_analytic.symmetric import symmetric

__all__ = ["PositiveDefinite"]


@final
class PositiveDefinite(Projectable, Interior, Retractable):
    """The cone of symmetric matrices without negative eigenvalues. Samples have shape (B, n, n).

    Its interior are the positive definite matrices, hence the name. All functions compute in float64, where eigenvalues
    are known to 2e-16 of the largest, and return the dtype of x.

    Args:
        size: n, the number of rows, at least 1.

    Raises:
        ConfigurationError: a size below 1.

    Example:
        >>> import torch
        >>> from tain_analytic import PositiveDefinite
        >>> PositiveDefinite(2).project(torch.tensor([[[1.0, 2.0], [2.0, 1.0]]]))  # eigenvalues 3 and -1
        tensor([[[1.5000, 1.5000],
                 [1.5000, 1.5000]]])
    """

    event_ndim = 2
    event_shape: tuple[int, ...]
    retraction = "Matrices are made symmetric, and eigenvalues below the margin are raised to it."

    def __init__(self, size: Annotated[int, Field("number of rows", at_least=1)]):
        super().__init__()
        self.event_shape = (size, size)

    def distance(self, x: Tensor) -> Tensor:
        """The Frobenius distance to the nearest point, less what rounding of x accounts for: (B, n, n) to (B,).

        It is the length of (x - x') / 2 and of the negative eigenvalues of (x + x') / 2. Rounding of the entries moves
        eigenvalues by as much, so 4 rounding errors of the matrix's length count as no distance.
        """
        z = x.double()
        skew, negative = (z / 2 - z.mT / 2).flatten(1), eigenvalues(symmetric(x)).clamp(max=0)
        rounding = 4 * torch.finfo(x.dtype).eps * norm(z.flatten(1))
        return (norm(torch.cat([skew, negative], 1)) - rounding).relu()[:, 0].to(x.dtype)

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: (x + x') / 2 with its negative eigenvalues set to 0."""
        return self.retract(x)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Sample covariances of as many standard normal vectors as there are rows, plus 0.02 times the identity."""
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        G = standard_normal((n, *self.event_shape), generator(rng), example)
        size = self.event_shape[0]
        X = symmetric(G.double() @ G.double().mT / size) + 0.02 * torch.eye(size, device=G.device)
        return X.to(example.dtype)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """The nearest symmetric matrix with all eigenvalues at least `margin`: (B, n, n) to (B, n, n).

        Raises:
            ConfigurationError: a margin that is negative or not finite.
        """
        require_margin("PositiveDefinite.retract", margin, math.inf)
        X = symmetric(x)

        def raised(values: Tensor) -> Differences:
            least = values.clamp(min=margin)
            a, b = values[:, :, None], values[:, None]
            gap = torch.where(a == b, 1, a - b)
            slopes = torch.where(a == b, (a > margin).double(), (least[:, :, None] - least[:, None]) / gap)
            return Differences(least, slopes)

        inside = (eigenvalues(X.detach())[:, 0] >= margin)[:, None, None]
        return torch.where(inside, X, function(X, raised)).to(x.dtype)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which matrices have an eigenvalue below `margin`, said for each of their entries: (B, n, n) booleans."""
        return (eigenvalues(symmetric(x))[:, 0] < margin)[:, None, None].expand_as(x)
