"""The mirror map of images made of one tile: the tile."""

from typing import Annotated, final

from torch import Tensor

from tain import Field, Legendre
from tain_science.periodic import Periodic

__all__ = ["Tile"]


@final
class Tile(Legendre):
    """A periodic image has its tile for a mirror image, which is as many times smaller as there are tiles.

        forward    y = mean tile of x                   inverse    x = y, tiled
        pairing    <tile of x, y>                       conjugate  phi*(y) = |y|^2 / 2

    The potential is half the squared norm of the tile, on the images that have one. So the map is one to one, where the
    projection onto the same set, `EuclideanProjection`, is not, and generators have less to learn: `tain.mirror_for`
    gives this one.

    Valid range: every finite number, exactly; `potential` and `conjugate` while the square is finite.

    Args:
        constraint: the tiling. Samples have shape (B, C, H, W), mirror images (B, C, h, w).

    Example:
        >>> import torch
        >>> from tain_science import Periodic, Tile
        >>> Tile(Periodic((2, 2))).inverse(torch.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1., 2., 1., 2.],
                  [1., 2., 1., 2.]]]])
    """

    constraint: Periodic

    def __init__(self, constraint: Annotated[Periodic, Field("the tiling")]):
        super().__init__()
        self.constraint = constraint

    def forward(self, x: Tensor) -> Tensor:
        """The mean tile: (B, C, H, W) to (B, C, h, w).

        Raises:
            ShapeError: images that do not divide into tiles.
            OutsideSetError: the tiles of an image differ by more than the constraint's tolerance.
        """
        self.constraint.require(x)
        return self.constraint.tile(x)

    def inverse(self, y: Tensor) -> Tensor:
        """y, tiled: (B, C, h, w) to (B, C, H, W)."""
        return self.constraint.tiled(y)

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = |tile of x|^2 / 2: (B, C, H, W) to (B,)."""
        return self.constraint.tile(x).square().flatten(1).sum(1) / 2

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = |y|^2 / 2: (B, C, h, w) to (B,)."""
        return y.square().flatten(1).sum(1) / 2

    def log_det(self, x: Tensor) -> Tensor:
        """0, in the coordinates of one tile: (B, C, H, W) to (B,)."""
        return (0 * x).flatten(1).sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The tile of v: (B, C, H, W), (B, C, H, W) to (B, C, h, w)."""
        return self.constraint.tile(v)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w, tiled: (B, C, H, W), (B, C, h, w) to (B, C, H, W)."""
        return self.constraint.tiled(w)

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """The product of the tile and y: (B, C, H, W), (B, C, h, w) to (B,)."""
        return (self.constraint.tile(x) * y).flatten(1).sum(1)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        (channels, height, width), (down, across) = event_shape, self.constraint.tiles
        return (channels, height // down, width // across)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        (channels, height, width), (down, across) = mirror_shape, self.constraint.tiles
        return (channels, height * down, width * across)
