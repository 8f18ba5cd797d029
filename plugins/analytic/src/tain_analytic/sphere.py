"""A sphere: all points exactly a radius away from a centre."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Retractable
from tain.randomness import generator, standard_normal
from tain_analytic.numerics import barrier_margin, like, norm, require_margin

__all__ = ["Sphere"]


@final
class Sphere(Projectable, Interior, Retractable):
    """A Euclidean sphere: {x : |x - center| = radius}. Samples have shape (B, size).

    It is not convex, so no Legendre map belongs to it; `EuclideanProjection` does. The centre is equally far from all
    of it: there `project` goes along the first axis, to center + (radius, 0, ..., 0).

    Args:
        size: dimension of the space.
        radius: above 0.
        center: its middle, `size` numbers; the origin if not given.

    Raises:
        ConfigurationError: a size below 1, a radius not above 0, a centre of another length, or infinite.

    Example:
        >>> import torch
        >>> from tain_analytic import Sphere
        >>> Sphere(2, radius=10.0).project(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[ 6.,  8.],
                [10.,  0.]])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Rows are moved straight from or towards the centre; there is no boundary to keep away from."

    def __init__(
        self,
        size: Annotated[int, Field("dimension of the space", at_least=1)],
        radius: Annotated[float, Field("radius of the sphere", above=0, below=math.inf)],
        center: Annotated[
            tuple[float, ...] | None,
            Field("centre of the sphere, by default the origin", above=-math.inf, below=math.inf),
        ] = None,
    ):
        super().__init__()
        center = (0.0,) * size if center is None else center
        if len(center) != size:
            raise ConfigurationError(f"Sphere: 'center' has {len(center)} entries, but must have 'size', {size}.")
        self.radius = radius
        self.center = torch.tensor(center, dtype=torch.float64)
        self.event_shape = (size,)
        self.scale = radius + math.hypot(*center)

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest point of the sphere: (B, size) to (B,)."""
        return (norm(x - like(self.center, x)) - self.radius).abs()[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest point, center + radius (x - center) / |x - center|: (B, size) to (B, size).

        Rows nearer to the centre than 1e-31 of the radius in float32 (1e-292 in float64) count as the centre, since
        the derivative there would overflow.
        """
        center = like(self.center, x)
        away = x - center
        length, first = norm(away), torch.zeros_like(x)
        first[:, 0] = 1
        margin = max(self.radius * barrier_margin(x.dtype), torch.finfo(x.dtype).tiny)
        # The clamp keeps rows at the centre from dividing by zero in the branch that is not theirs.
        direction = torch.where(length > margin, away / length.clamp(min=margin), first)
        return center + self.radius * direction

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points drawn uniformly from the sphere itself, which has no other interior."""
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        return self.project(
            like(self.center, example) + standard_normal((n, *self.event_shape), generator(rng), example)
        )

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """The nearest point; `margin` has no effect, since there is no boundary."""
        require_margin("Sphere.retract", margin, torch.inf)
        return self.project(x)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """No entry is, since there is no boundary: (B, size) booleans."""
        return torch.zeros_like(x, dtype=torch.bool)
