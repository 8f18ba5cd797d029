"""Euclidean projection as a mirror map, for every set whose nearest points are known."""

from typing import Annotated, final

from torch import Tensor

from tain import Field, Projectable, Projective

__all__ = ["EuclideanProjection"]


@final
class EuclideanProjection(Projective):
    """Projection onto a set: the mirror map of |x|^2 / 2 plus the set's indicator.

        forward    y = x                    inverse    x = the point of the set nearest to y

    It is defined on the boundary too, and leaves data as they are; in return `inverse` is many to one, and puts all
    that a generator misses by onto the boundary. On a set that is not convex, such as a sphere, `inverse` is the one
    nearest point that the constraint's `project` chooses.

    Valid range: that of the constraint's `project`; for the sets of tain-analytic every finite number up to 1e30.

    Source: Convex Analysis, https://doi.org/10.1515/9781400873173 (section 31, Moreau's theorem)

    Args:
        constraint: any set with a projection. Samples and mirror images have shape (B, *S).

    Example:
        >>> import torch
        >>> from tain_analytic import EuclideanProjection, Simplex
        >>> mirror = EuclideanProjection(Simplex(2))
        >>> mirror.inverse(torch.tensor([[0.75, 1.25], [3.0, -4.0]]))
        tensor([[0.2500, 0.7500],
                [1.0000, 0.0000]])
    """

    constraint: Projectable

    def __init__(self, constraint: Annotated[Projectable, Field("any set whose nearest points are known")]):
        super().__init__()
        self.constraint = constraint

    def forward(self, x: Tensor) -> Tensor:
        """y = x: (B, *S) to (B, *S).

        Raises:
            OutsideSetError: a row is outside of the set by more than its tolerance.
        """
        self.constraint.require(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """The point of the set nearest to y: (B, *S) to (B, *S)."""
        return self.constraint.project(y)
