"""Correlation matrices."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Interior, Retractable
from tain.randomness import generator, standard_normal
from tain_analytic.numerics import norm, require_margin
from tain_analytic.positive_definite import PositiveDefinite
from tain_analytic.spectral import eigenvalues
from tain_analytic.symmetric import symmetric

__all__ = ["Correlation"]


@final
class Correlation(Interior, Retractable):
    """Symmetric matrices without negative eigenvalues, and with ones on the diagonal. Samples have shape (B, n, n).

    The nearest correlation matrix has no closed form, so there is no projection; `retract` gives a near one. All
    functions compute in float64, and return the dtype of x.

    Args:
        size: n, the number of rows, at least 2.

    Raises:
        ConfigurationError: a size below 2.

    Example:
        >>> import torch
        >>> from tain_analytic import Correlation
        >>> correlation = Correlation(2)
        >>> correlation.contains(torch.tensor([[[1.0, -0.9], [-0.9, 1.0]], [[1.0, 1.1], [1.1, 1.0]]]))
        tensor([ True, False])
        >>> correlation.retract(torch.tensor([[[4.0, 1.0], [1.0, 1.0]]]))  # of a covariance, its correlation
        tensor([[[1.0000, 0.5000],
                 [0.5000, 1.0000]]])
    """

    event_ndim = 2
    event_shape: tuple[int, ...]
    retraction = (
        "Matrices are made symmetric, eigenvalues below the margin are raised to it, rows and columns are scaled to "
        "ones on the diagonal, and what then still is too near to the boundary is moved towards the identity."
    )

    def __init__(self, size: Annotated[int, Field("number of rows", at_least=2)]):
        super().__init__()
        self.event_shape = (size, size)
        self._positive = PositiveDefinite(size)

    def distance(self, x: Tensor) -> Tensor:
        """The length of all that is wrong, less what rounding of x accounts for: (B, n, n) to (B,).

        That is (x - x') / 2, the diagonal less 1, and the negative eigenvalues of (x + x') / 2. It is at most sqrt 2
        times the Frobenius distance to the nearest correlation matrix. 4 rounding errors of the matrix's length count
        as no distance.
        """
        z = x.double()
        diagonal = z.diagonal(dim1=1, dim2=2) - 1
        wrong = [(z / 2 - z.mT / 2).flatten(1), diagonal, eigenvalues(symmetric(x)).clamp(max=0)]
        rounding = 4 * torch.finfo(x.dtype).eps * norm(z.flatten(1))
        return (norm(torch.cat(wrong, 1)) - rounding).relu()[:, 0].to(x.dtype)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Sample correlations of twice as many standard normal vectors as there are rows, 0.02 of the way to the
        identity.
        """
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        size = self.event_shape[0]
        G = standard_normal((n, size, 2 * size), generator(rng), example).double()
        return shrunk(scaled(symmetric(G @ G.mT)), 0.02).to(example.dtype)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """A correlation matrix near x, or that of a covariance x, with all eigenvalues at least `margin`: (B, n, n).

        Raises:
            ConfigurationError: a margin that is negative, or not below 1, the eigenvalues of the identity.
        """
        require_margin("Correlation.retract", margin, 1.0)
        C = scaled(self._positive.retract(symmetric(x), margin))
        least = eigenvalues(C.detach())[:, 0]
        share = ((margin - least) / (1 - least).clamp(min=1 - margin)).relu()
        return shrunk(C, share[:, None, None]).to(x.dtype)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which matrices have an eigenvalue below `margin`, said for each of their entries: (B, n, n) booleans."""
        return self._positive.near_boundary(x, margin)


def scaled(X: Tensor) -> Tensor:
    """The correlation of a covariance, x_ij / sqrt(x_ii x_jj), and no correlation where x_ii is 0: (B, n, n)."""
    variance = X.diagonal(dim1=1, dim2=2)
    deviation = torch.where(variance > 0, variance, 1).sqrt()
    return shrunk(X / (deviation[:, :, None] * deviation[:, None]), 0.0)


def shrunk(C: Tensor, share: Tensor | float) -> Tensor:
    """(1 - share) C + share I, with ones on the diagonal exactly: (B, n, n) to (B, n, n)."""
    identity = torch.eye(C.shape[1], dtype=torch.bool, device=C.device)
    return torch.where(identity, 1, (1 - share) * C)
