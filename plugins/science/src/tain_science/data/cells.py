"""Images of a periodic material: one unit cell of two phases, tiled."""

import math
from collections.abc import Sequence
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Constraint, Field
from tain.errors import ConfigurationError
from tain_science.data.simulator import Simulator
from tain_science.data.streams import normal, uniform

__all__ = ["PeriodicCells"]


@final
class PeriodicCells(Simulator):
    """Unit cells of two phases, cut from a periodic Gaussian process and tiled.

    The covariance of the process is exp(-2 (sin(pi a)^2 + sin(pi b)^2) / l^2) for points that are a and b apart, in
    units of the cell's side, so that a cell fits to itself across its borders; l is drawn for each image. The highest
    pixels are 1, a share of them that is drawn as well, and the others 0. Edges are not smoothed, since a material of
    two phases has nothing in between, and what a model puts there is its error.

    Source: Neural Approximate Mirror Maps, appendix F, https://arxiv.org/abs/2406.12816; Gaussian Processes for Machine
    Learning, equation 4.31, https://gaussianprocess.org/gpml/

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> images = PeriodicCells(tiles=(2, 3), cell=16).simulate(5, rng=0)
        >>> images.shape
        torch.Size([5, 1, 32, 48])
        >>> images[..., :16, :16].equal(images[..., 16:, 32:])
        True
    """

    def __init__(
        self,
        tiles: Annotated[tuple[int, int], Field("cells down and across", at_least=1)] = (2, 2),
        cell: Annotated[int, Field("height and width of a cell", unit="pixels", at_least=4)] = 32,
        length: Annotated[tuple[float, float], Field("shortest and longest l of the process", above=0)] = (0.7, 1.3),
        phase: Annotated[tuple[float, float], Field("least and most share of ones", above=0, below=1)] = (0.35, 0.65),
    ):
        super().__init__()
        for name, (least, most) in {"length": length, "phase": phase}.items():
            if least > most:
                raise ConfigurationError(
                    f"PeriodicCells: '{name}' is {(least, most)}, but the first must not exceed the second."
                )
        self.event_shape = (1, tiles[0] * cell, tiles[1] * cell)
        self.tiles, self.cell, self.length, self.phase = tiles, cell, length, phase

    @property
    def constraint(self) -> Constraint:
        from tain_science import Periodic

        return Periodic(self.tiles)

    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        share, place = uniform(streams, 2).unbind(1)
        length = self.length[0] + (self.length[1] - self.length[0]) * place
        field = self._process(streams, length[:, None])
        ones = ((self.phase[0] + (self.phase[1] - self.phase[0]) * share) * self.cell**2).round().long()
        ranks = field.flatten(1).argsort(1).argsort(1)
        cell = (ranks >= self.cell**2 - ones[:, None]).view_as(field)
        return cell.unsqueeze(1).double().repeat(1, 1, *self.tiles)

    def _process(self, streams: Sequence[torch.Generator], length: Tensor) -> Tensor:
        """The process in one cell, (B, cell, cell): white noise, filtered by the root of the covariance's spectrum."""
        apart = torch.arange(self.cell, dtype=torch.float64) / self.cell
        covariance = torch.exp(-2 * (math.pi * apart).sin().square() / length**2)
        root = torch.fft.fft(covariance).real.clamp_min(0).sqrt()  # below 0 by rounding alone
        white = normal(streams, self.cell, self.cell)
        return torch.fft.ifft2(torch.fft.fft2(white) * root[:, :, None] * root[:, None, :]).real
