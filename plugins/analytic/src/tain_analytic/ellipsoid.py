"""An ellipsoid: a ball in the metric of a positive definite matrix."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Retractable
from tain_analytic.ball import Ball
from tain_analytic.checks import Matrix, finite_matrix
from tain_analytic.numerics import like, norm, require_margin, times

__all__ = ["Ellipsoid"]


@final
class Ellipsoid(Interior, Retractable):
    """An ellipsoid: {x : (x - center)' P (x - center) <= radius^2}. Samples have shape (B, n).

    With P = L L', z = L' (x - center) are coordinates in which it is the ball of that radius. All functions compute in
    float64, where a long and thin ellipsoid loses no digits that the samples have, and return the dtype of x.

    Args:
        matrix: P, n rows of n numbers, or a tensor (n, n): symmetric to 1e-6 of its size, and positive definite.
        radius: above 0.
        center: its middle, n numbers; the origin if not given.

    Raises:
        ConfigurationError: a matrix that is not square, not symmetric, not positive definite or not finite; a radius
            not above 0; a centre of another length, or infinite.

    Example:
        >>> import torch
        >>> from tain_analytic import Ellipsoid
        >>> ellipse = Ellipsoid(matrix=[[0.25, 0.0], [0.0, 1.0]], radius=1.0)  # half axes 2 and 1
        >>> ellipse.distance(torch.tensor([[2.5, 0.0], [0.0, 1.5], [1.0, 0.5]]))
        tensor([0.5000, 0.5000, 0.0000])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = (
        "Rows outside, or perhaps nearer to the boundary than the margin, are moved straight towards the centre."
    )

    def __init__(
        self,
        matrix: Annotated[Matrix, Field("P: symmetric and positive definite")],
        radius: Annotated[float, Field("radius in the metric of P", above=0, below=math.inf)] = 1.0,
        center: Annotated[
            tuple[float, ...] | None,
            Field("centre of the ellipsoid, by default the origin", above=-math.inf, below=math.inf),
        ] = None,
    ):
        super().__init__()
        P = _positive_definite(finite_matrix("Ellipsoid", "matrix", matrix))
        size = len(P)
        center = (0.0,) * size if center is None else center
        if len(center) != size:
            raise ConfigurationError(
                f"Ellipsoid: 'center' has {len(center)} entries, but must have one for each of the {size} rows of "
                "'matrix'."
            )
        self.factor = torch.linalg.cholesky(P)
        identity = torch.eye(size, dtype=torch.float64)
        self._inverse_factor = torch.linalg.solve_triangular(self.factor, identity, upper=False)
        self.center = torch.tensor(center, dtype=torch.float64)
        self.radius = radius
        self.ball = Ball(size, radius)
        self.event_shape = (size,)
        # The largest and the least stretch of x to z: the reciprocals of the shortest and the longest half axis.
        self._stretch = float(torch.linalg.matrix_norm(self.factor, 2))
        self.scale = radius * float(torch.linalg.matrix_norm(self._inverse_factor, 2)) + math.hypot(*center)

    def to_ball(self, x: Tensor) -> Tensor:
        """z = L' (x - center) in float64: (B, n) to (B, n)."""
        x = x.double()
        return times(x - like(self.center, x), self.factor.mT)

    def from_ball(self, z: Tensor) -> Tensor:
        """x = center + L'^-1 z: (B, n) to (B, n)."""
        return like(self.center, z) + self.stretched(z)

    def stretched(self, z: Tensor) -> Tensor:
        """L'^-1 z: (B, n) to (B, n)."""
        return times(z, self._inverse_factor.mT)

    def unscaled(self, y: Tensor) -> Tensor:
        """L^-1 y in float64: (B, n) to (B, n)."""
        return times(y.double(), self._inverse_factor)

    def distance(self, x: Tensor) -> Tensor:
        """0 inside; outside (|z| - radius) |z| / |L z|, the Euclidean distance to first order: (B, n) to (B,).

        It is exact along the half axes. The nearest point itself has no closed form.
        """
        z = self.to_ball(x)
        length, slope = norm(z), norm(times(z, self.factor))
        return ((length - self.radius).relu() * (length / torch.where(slope > 0, slope, 1)))[:, 0].to(x.dtype)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points drawn uniformly from the ellipsoid of 0.99 the radius."""
        z = self.ball.interior(n, rng=rng, dtype=torch.float64)
        return self.from_ball(z).to(dtype or torch.get_default_dtype())

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Move rows straight towards the centre until `margin` times the largest stretch of L is left in z: (B, n).

        They then are at least `margin` from the boundary; along the long axes it is more.

        Raises:
            ConfigurationError: a margin that is negative, or as large as the shortest half axis.
        """
        require_margin("Ellipsoid.retract", margin, self.radius / self._stretch)
        z = self.to_ball(x)
        length, limit = norm(z), self.radius - margin * self._stretch
        moved = self.from_ball(z / length.clamp(min=limit) * limit).to(x.dtype)
        return torch.where(length > limit, moved, x)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which rows may be nearer than `margin` to the boundary, said for each of their entries: (B, n) booleans."""
        return (self.radius - norm(self.to_ball(x)) < margin * self._stretch).expand_as(x)


def _positive_definite(P: Tensor) -> Tensor:
    if P.shape[0] != P.shape[1]:
        raise ConfigurationError(f"Ellipsoid: 'matrix' has shape {tuple(P.shape)}, but must be square.")
    gap = (P - P.mT).abs()
    if float(gap.max()) > 1e-6 * float(P.abs().max()):
        i, j = divmod(int(gap.argmax()), len(P))
        raise ConfigurationError(
            f"Ellipsoid: 'matrix'[{i}][{j}] is {float(P[i, j]):.6g} but [{j}][{i}] is {float(P[j, i]):.6g}: it must be "
            "symmetric. Give (P + P') / 2."
        )
    P = (P + P.mT) / 2
    values = torch.linalg.eigvalsh(P)
    limit = len(P) * torch.finfo(torch.float64).eps * float(values.abs().max())
    if float(values[0]) <= limit:
        raise ConfigurationError(
            f"Ellipsoid: 'matrix' has the eigenvalue {float(values[0]):.3g}, but all must be above {limit:.3g}. Along "
            "that eigenvector the set would be unbounded."
        )
    return P
