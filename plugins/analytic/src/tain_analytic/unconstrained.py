"""No rule at all, and its mirror map, the identity: tain then is an ordinary library of generative models."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Legendre, Projectable, Retractable
from tain_analytic.numerics import require_margin

__all__ = ["Identity", "Unconstrained"]


@final
class Unconstrained(Projectable, Retractable):
    """Every finite tensor. Samples have shape (B, *S), with any S of `event_ndim` dimensions.

    Args:
        event_ndim: number of dimensions of one sample: 1 for vectors, 3 for images.

    Example:
        >>> import torch
        >>> from tain_analytic import Unconstrained
        >>> Unconstrained().distance(torch.tensor([[1.0, -2.0], [1.0, torch.nan]]))
        tensor([0., inf])
    """

    retraction = "Rows are left as they are; there is no boundary to keep away from."

    def __init__(self, event_ndim: Annotated[int, Field("number of dimensions of one sample", at_least=1)] = 1):
        super().__init__()
        self.event_ndim = event_ndim

    def distance(self, x: Tensor) -> Tensor:
        """0 for samples whose entries are all finite, else infinity: (B, *S) to (B,)."""
        return torch.where(torch.isfinite(x), 0 * x, torch.inf).flatten(1).sum(1)

    def project(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """x itself; `margin` has no effect, since there is no boundary."""
        require_margin("Unconstrained.retract", margin, torch.inf)
        return x

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """No entry is, since there is no boundary: (B, *S) booleans."""
        return torch.zeros_like(x, dtype=torch.bool)


@final
class Identity(Legendre):
    """Half the squared norm, phi(x) = |x|^2 / 2, whose mirror map is y = x.

    Valid range: every finite number, exactly; `potential` and `conjugate` while the square is finite.

    Args:
        constraint: no rule. Samples and mirror images have shape (B, *S).

    Example:
        >>> import torch
        >>> from tain_analytic import Identity, Unconstrained
        >>> Identity(Unconstrained()).inverse(torch.tensor([[1.0, 2.0]]))
        tensor([[1., 2.]])
    """

    constraint: Unconstrained

    def __init__(self, constraint: Annotated[Unconstrained, Field("no rule")]):
        super().__init__()
        self.constraint = constraint

    def forward(self, x: Tensor) -> Tensor:
        """y = x: (B, *S) to (B, *S).

        Raises:
            OutsideSetError: a sample holds NaN or infinity.
        """
        self.constraint.require(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """x = y: (B, *S) to (B, *S)."""
        return y

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = |x|^2 / 2: (B, *S) to (B,)."""
        return x.square().flatten(1).sum(1) / 2

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = |y|^2 / 2: (B, *S) to (B,)."""
        return y.square().flatten(1).sum(1) / 2

    def log_det(self, x: Tensor) -> Tensor:
        """0: (B, *S) to (B,)."""
        return (0 * x).flatten(1).sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """v: (B, *S), (B, *S) to (B, *S)."""
        return v

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w: (B, *S), (B, *S) to (B, *S)."""
        return w
