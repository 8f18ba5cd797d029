"""Images made of one tile, repeated."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Projectable, Residual, ShapeError

__all__ = ["Periodic"]


@final
class Periodic(Projectable, Residual):
    """Images that repeat one tile, down and across.

        distance(x) = mean over all pairs of tiles a, b and their pixels of |a - b|

    Samples have shape (B, C, H, W), of any channels; H is a multiple of the tiles down, W of those across.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
    (appendix F)

    Args:
        tiles: down and across, two at least.

    Raises:
        ConfigurationError: a single tile.

    Example:
        >>> import torch
        >>> from tain_science import Periodic
        >>> Periodic((1, 2)).project(torch.tensor([[[[1.0, 2.0, 3.0, 2.0]]]]))
        tensor([[[[2., 2., 2., 2.]]]])
    """

    event_ndim = 3

    def __init__(self, tiles: Annotated[tuple[int, int], Field("tiles down and across", at_least=1)] = (2, 2)):
        super().__init__()
        if tiles == (1, 1):
            raise ConfigurationError("Periodic: 'tiles' is (1, 1), but must be two tiles at least, such as (2, 2).")
        self.tiles = tiles

    def distance(self, x: Tensor) -> Tensor:
        """The mean difference of two tiles: (B, C, H, W) to (B,)."""
        tiles = self.split(x)
        first, second = torch.triu_indices(tiles.shape[1], tiles.shape[1], 1, device=x.device)
        return (tiles[:, first] - tiles[:, second]).abs().flatten(1).mean(1)

    def residual(self, x: Tensor) -> Tensor:
        """Each tile less the mean tile: (B, C, H, W) to (B, C H W)."""
        return (self.split(x) - self.tile(x)[:, None]).flatten(1)

    def project(self, x: Tensor) -> Tensor:
        """The mean tile, tiled: (B, C, H, W) to (B, C, H, W)."""
        return self.tiled(self.tile(x))

    def split(self, x: Tensor) -> Tensor:
        """The tiles: (B, C, H, W) to (B, tiles, C, h, w).

        Raises:
            ShapeError: images that do not divide into tiles.
        """
        self.require_shape(x)
        down, across = self.tiles
        if x.shape[2] % down or x.shape[3] % across or 0 in x.shape[1:]:
            raise ShapeError(
                f"Periodic: samples have shape {tuple(x.shape)}, but must have a multiple of {down} as height "
                f"and one of {across} as width, for 'tiles' {self.tiles}."
            )
        tiles = x.unflatten(3, (across, -1)).unflatten(2, (down, -1))  # (B, C, down, h, across, w)
        return tiles.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)

    def tile(self, x: Tensor) -> Tensor:
        """The mean tile: (B, C, H, W) to (B, C, h, w)."""
        tiles = self.split(x)
        first = tiles[:, :1]
        return first[:, 0] + (tiles - first).mean(1)  # of equal tiles this is exactly each of them

    def tiled(self, tile: Tensor) -> Tensor:
        """The image of a tile: (B, C, h, w) to (B, C, H, W)."""
        return tile.repeat(1, 1, *self.tiles)
