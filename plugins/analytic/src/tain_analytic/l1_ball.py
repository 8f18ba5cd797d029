"""The ball of the 1-norm: vectors whose entries have a bounded total size, the relaxation of sparsity."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Interior, Projectable, Retractable
from tain.randomness import generator, uniform
from tain_analytic.numerics import norm, require_margin

__all__ = ["L1Ball"]


@final
class L1Ball(Projectable, Interior, Retractable):
    """The ball of the 1-norm: {x : |x_1| + ... + |x_n| <= radius}. Samples have shape (B, size).

    Its projection sets small entries to exactly 0, so `EuclideanProjection` generates sparse vectors.

    Args:
        size: dimension of the space.
        radius: above 0.

    Raises:
        ConfigurationError: a size below 1, or a radius that is not above 0 and finite.

    Example:
        >>> import torch
        >>> from tain_analytic import L1Ball
        >>> L1Ball(3, radius=2.0).project(torch.tensor([[3.0, -2.0, 0.25], [1.0, 0.5, -0.5]]))
        tensor([[ 1.5000, -0.5000,  0.0000],
                [ 1.0000,  0.5000, -0.5000]])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Rows whose total size is too large, or too near to the radius, are moved to the nearest that are not."

    def __init__(
        self,
        size: Annotated[int, Field("dimension of the space", at_least=1)],
        radius: Annotated[float, Field("largest sum of the entries' sizes", above=0, below=math.inf)],
    ):
        super().__init__()
        self.radius = radius
        self.event_shape = (size,)
        self.scale = radius

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the ball: (B, size) to (B,)."""
        return norm(x - self.project(x))[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: every size is reduced by one number, not below 0, that makes their sum the radius.

        Source: Efficient Projections onto the l1-Ball for Learning in High Dimensions, Duchi et al. 2008,
        https://doi.org/10.1145/1390156.1390176
        """
        return _shrink(x, self.radius)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points drawn uniformly from the ball of 0.99 the radius."""
        (size,) = self.event_shape
        rng, example = generator(rng), torch.empty((), dtype=dtype or torch.get_default_dtype())
        waiting = -torch.log1p(-uniform((n, size + 1), rng, example))  # exponential; normalised, uniform
        sign = torch.where(uniform((n, size), rng, example) < 0.5, -1, 1)
        return 0.99 * self.radius * sign * (waiting / waiting.sum(1, keepdim=True))[:, 1:]

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Move rows nearer to the boundary than `margin` to the nearest point that far inside: (B, n) to (B, n).

        Raises:
            ConfigurationError: a margin that is negative, or as large as the distance of the origin to the boundary.
        """
        root = math.sqrt(self.event_shape[0])
        require_margin("L1Ball.retract", margin, self.radius / root)
        return _shrink(x, self.radius - margin * root)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which rows are nearer than `margin` to the boundary, said for each of their entries: (B, size) booleans."""
        root = math.sqrt(x.shape[1])
        return (self.radius - x.abs().sum(1, keepdim=True) < margin * root).expand_as(x)


def _shrink(x: Tensor, radius: float) -> Tensor:
    """The nearest point to x whose sizes sum to `radius` at most."""
    size = x.abs()
    top = size.detach().amax(1, keepdim=True)
    below = size - top  # at most 0, and the reduction t at least top - radius: t - top keeps its digits far out
    descending = below.sort(1, descending=True).values
    count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
    thresholds = (descending.cumsum(1) - radius) / count  # t - top, were just the k largest sizes to stay
    staying = (descending > thresholds).sum(1, keepdim=True).clamp(min=1)  # 0 only in rows with NaN
    left = below - thresholds.gather(1, staying - 1)
    # Rounding of t has moved all that stay alike; their sum says by how much.
    excess = (left.relu().sum(1, keepdim=True) - radius) / (left > 0).sum(1, keepdim=True).clamp(min=1)
    left = (left - excess).relu()
    return torch.where(size.sum(1, keepdim=True) > radius, left * x.sign(), x)
