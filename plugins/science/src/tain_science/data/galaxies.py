"""Images of radio galaxies: a few sources, none over another, in smooth noise."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import torch
from torch import Tensor

from tain import Field
from tain.errors import ConfigurationError
from tain_science.data.simulator import Simulator
from tain_science.data.streams import normal, row_streams, seed_of, uniform

if TYPE_CHECKING:
    from tain_science import Count

__all__ = ["CountedImages", "RadioGalaxies"]

_RANGE = 15.0
"""From the faintest possible source to the brightest, in decibels."""


class CountedImages(NamedTuple):
    """Images with what is in them.

    Attributes:
        images: (n, 1, size, size), float32.
        counts: how many sources each has, (n,), int64.
        centres: of the sources, across and down from the corner, in pixels, (n, most, 2), float64; the first `counts`
            of a row are in its image.
    """

    images: Tensor
    counts: Tensor
    centres: Tensor


@final
class RadioGalaxies(Simulator):
    """Radio galaxies on a dark sky: ellipses, and pairs of lobes with jets between them.

    Each source is at least `snr` decibels above the noise, 20 log10(its brightest pixel / the standard deviation of the
    noise), and no more than 15 decibels brighter than that; the brightest possible pixel without noise is 1. Sources
    keep a distance of two radii of the largest one. The noise is white noise seen through a Gaussian beam.

    The rule is what a counting network says, which is trained by `train_counter` on images with up to two sources more
    and fewer when the rule is first asked for; that takes minutes, and gives the same network again. A network
    errs, so that rows have the distance of its error: a tenth or two, for a few rows more than a half.

    Source: Neural Approximate Mirror Maps, appendix F, https://arxiv.org/abs/2406.12816

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> RadioGalaxies(size=32).simulate(4, rng=0).shape
        torch.Size([4, 1, 32, 32])
        >>> bool((RadioGalaxies(size=32, sources=(6, 10)).simulate_counted(4, rng=0).counts >= 6).all())
        True
    """

    rows_at_once = 16

    def __init__(
        self,
        size: Annotated[int, Field("height and width of an image", unit="pixels", at_least=16)] = 64,
        sources: Annotated[tuple[int, int], Field("least and most sources", at_least=1, at_most=50)] = (8, 8),
        snr: Annotated[float, Field("of the faintest source to the noise", unit="dB", at_least=0)] = 15.0,
    ):
        super().__init__()
        if sources[0] > sources[1]:
            raise ConfigurationError(
                f"RadioGalaxies: 'sources' is {sources}, but the first must not exceed the second."
            )
        self.event_shape = (1, size, size)
        self.size, self.sources, self.snr = size, sources, snr
        # Discs of this radius around n - 1 sources leave room for the n-th, however they lie.
        self.margin = 0.07 * size
        self.apart = (size - 2 * self.margin) / math.sqrt(math.pi * max(10, sources[1]))

    @cached_property
    def constraint(self) -> "Count":
        from tain_science import Count
        from tain_science.data.counting import train_counter

        least, most = self.sources
        if least != most:
            raise ConfigurationError(
                f"RadioGalaxies: 'sources' is {self.sources}, so that images differ in their count and obey no rule. "
                f"Give one number twice, as in sources=[{most}, {most}]."
            )
        counted = (max(1, least - 2), least + 2)
        return Count(train_counter(self.size, sources=counted, snr=self.snr).network, most)

    def simulate_counted(self, n: int, *, rng: torch.Generator | int | None = None, first: int = 0) -> "CountedImages":
        """Rows as by `simulate`, with the number of their sources and where they are. Arguments as there."""
        seed = seed_of(rng)
        images = self.simulate(n, rng=seed, first=first)
        streams = row_streams(seed, range(first, first + n))
        return CountedImages(images, self._counts(streams), self._centres(streams))

    def _counts(self, streams: Sequence[torch.Generator]) -> Tensor:
        """The first number that is drawn for a row."""
        least, most = self.sources
        return least + (uniform(streams, 1)[:, 0] * (most - least + 1)).long()

    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        counts, most = self._counts(streams), self.sources[1]
        present = torch.arange(most) < counts[:, None]
        centres = self._centres(streams)
        brightest = 10 ** (-_RANGE / 20 * uniform(streams, most))
        shape = self._shapes(streams, centres)
        peak = shape.amax((2, 3), keepdim=True)
        sky = (shape / peak * (brightest * present)[..., None, None]).sum(1)
        return (sky + 10 ** (-(_RANGE + self.snr) / 20) * self._noise(streams)).unsqueeze(1)

    def _centres(self, streams: Sequence[torch.Generator]) -> Tensor:
        """Places across and down in pixels, (B, most, 2); the second numbers that are drawn for a row."""
        return torch.stack([self._places(stream) for stream in streams])

    def _places(self, stream: torch.Generator) -> Tensor:
        """Those of one row, (most, 2), each at least `apart` from those before it."""
        found = torch.empty(0, 2, dtype=torch.float64)
        while len(found) < self.sources[1]:
            place = self.margin + (self.size - 2 * self.margin) * torch.rand(2, generator=stream, dtype=torch.float64)
            if not len(found) or bool(((found - place).square().sum(1) >= self.apart**2).all()):
                found = torch.cat([found, place[None]])
        return found

    def _shapes(self, streams: Sequence[torch.Generator], centres: Tensor) -> Tensor:
        """One source a picture, (B, most, size, size): an ellipse, or two lobes and their jets."""
        radius = self.apart / 2
        draws = uniform(streams, self.sources[1], 6)[..., None, None].unbind(2)
        angle = math.pi * draws[0]
        line = torch.arange(self.size, dtype=torch.float64) + 0.5
        x = line - centres[..., 0, None, None]
        y = line[:, None] - centres[..., 1, None, None]
        along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()

        long = radius * (0.3 + 0.2 * draws[1])
        ellipse = _bell(along, long) * _bell(across, long * (0.4 + 0.6 * draws[2]))

        reach, lobe = radius * (0.5 + 0.15 * draws[1]), radius * (0.2 + 0.08 * draws[2])
        lobes = _bell(along - reach, lobe) + (0.5 + 0.5 * draws[3]) * _bell(along + reach, lobe)
        jets = (0.3 + 0.4 * draws[4]) * _bell(along, 0.7 * reach)
        return torch.where(draws[5] < 0.5, ellipse, lobes * _bell(across, lobe) + jets * _bell(across, 0.7 * lobe))

    def _noise(self, streams: Sequence[torch.Generator]) -> Tensor:
        """White noise through a beam of two hundredths of the image's side: (B, size, size), variance 1."""
        waves = torch.fft.fftfreq(self.size, dtype=torch.float64)
        root = torch.exp(-2 * (math.pi * 0.02 * self.size * waves).square())
        transfer = root[:, None] * root
        transfer = transfer / transfer.square().mean().sqrt()
        return torch.fft.ifft2(torch.fft.fft2(normal(streams, self.size, self.size)) * transfer).real


def _bell(distance: Tensor, width: Tensor) -> Tensor:
    return torch.exp(-0.5 * (distance / width).square())
