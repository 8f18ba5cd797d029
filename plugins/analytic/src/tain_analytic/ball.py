"""A ball: all points at most a radius away from a centre."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal, uniform
from tain_analytic.numerics import like, norm, require_margin

__all__ = ["Ball"]


@final
class Ball(Projectable, Interior, Retractable):
    """A Euclidean ball: {x : |x - center| <= radius}. Samples have shape (B, size).

    Args:
        size: dimension of the space.
        radius: above 0.
        center: its middle, `size` numbers; the origin if not given.

    Raises:
        ConfigurationError: a size below 1, a radius not above 0, a centre of another length, or infinite.

    Example:
        >>> import torch
        >>> from tain_analytic import Ball
        >>> Ball(2, radius=4.0).distance(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([1., 0.])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Rows beyond the radius, or nearer to it than the margin, are moved straight towards the centre."

    def __init__(
        self,
        size: Annotated[int, Field("dimension of the space", at_least=1)],
        radius: Annotated[float, Field("radius of the ball", above=0, below=math.inf)],
        center: Annotated[
            tuple[float, ...] | None,
            Field("centre of the ball, by default the origin", above=-math.inf, below=math.inf),
        ] = None,
    ):
        super().__init__()
        center = (0.0,) * size if center is None else center
        if len(center) != size:
            raise ConfigurationError(f"Ball: 'center' has {len(center)} entries, but must have 'size', {size}.")
        self.radius = radius
        self.center = torch.tensor(center, dtype=torch.float64)
        self.event_shape = (size,)
        self.scale = radius + math.hypot(*center)

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the ball: (B, size) to (B,)."""
        return (norm(x - like(self.center, x)) - self.radius).relu()[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point: rows outside are moved straight towards the centre, onto the sphere."""
        return self.retract(x)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points drawn uniformly from the ball of 0.99 the radius."""
        rng = generator(rng)
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        direction = standard_normal((n, *self.event_shape), rng, example)
        share = uniform((n, 1), rng, example) ** (1 / self.event_shape[0])
        return like(self.center, example) + direction / norm(direction) * (0.99 * self.radius * share)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Move rows outside of the ball of radius - margin straight towards the centre, onto its sphere.

        Raises:
            ConfigurationError: a margin that is negative, or as large as the radius.

        Example:
            >>> Ball(2, radius=5.0).retract(torch.tensor([[6.0, 8.0]]), margin=1.0)
            tensor([[2.4000, 3.2000]])
        """
        require_margin("Ball.retract", margin, self.radius)
        away = x - like(self.center, x)
        length, limit = norm(away), self.radius - margin
        # The clamp keeps rows at the centre, which need no move, from dividing by zero.
        return torch.where(length > limit, like(self.center, x) + away / length.clamp(min=limit) * limit, x)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which rows are nearer than `margin` to the sphere, said for each of their entries: (B, size) booleans."""
        return (self.radius - norm(x - like(self.center, x)) < margin).expand_as(x)
