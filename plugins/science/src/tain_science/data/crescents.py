"""Images of an accretion flow around a black hole: crescents and rings, all of one total brightness."""

import math
from collections.abc import Sequence
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Constraint, Field
from tain_science.data.simulator import Simulator
from tain_science.data.streams import normal, uniform

__all__ = ["Crescents"]

_WAVES = 12


@final
class Crescents(Simulator):
    """Crescents and rings of an accretion flow, seen at many angles.

    A flow on circular orbits around a shadow of random size shines in a ring. What comes towards the observer is
    brighter by the third power of the Doppler factor, so that a ring seen from above is even and one seen from the side
    is a crescent. The sign of the spin tells which way the flow turns; its size moves the ring and the shadow. Spiral
    waves give fine structure. It is a picture of the physics, not a solution of the geodesic equation.

    Images are at least 0, their pixels sum to `total` up to the rounding of their brightest pixel.

    Source: First M87 Event Horizon Telescope Results. V, https://doi.org/10.3847/2041-8213/ab0f43; the rule and its
    total are those of Neural Approximate Mirror Maps, https://arxiv.org/abs/2406.12816

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> images = Crescents(size=32, total=120.0).simulate(3, rng=0)
        >>> images.shape
        torch.Size([3, 1, 32, 32])
        >>> bool(((images.double().sum((1, 2, 3)) - 120).abs() < 1e-6).all())
        True
    """

    def __init__(
        self,
        size: Annotated[int, Field("height and width of an image", unit="pixels", at_least=8)] = 64,
        total: Annotated[float, Field("sum of the pixels of an image", above=0)] = 120.0,
        noise: Annotated[float, Field("noise, as a share of the brightest pixel", at_least=0, at_most=1)] = 0.01,
    ):
        super().__init__()
        self.event_shape = (1, size, size)
        self.size, self.total, self.noise = size, total, noise

    @property
    def constraint(self) -> Constraint:
        from tain_science import Brightness

        return Brightness(self.total)

    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        image = self._ring(streams)
        noise = self.noise * normal(streams, self.size, self.size)
        image = (image / image.amax((1, 2), keepdim=True) + noise).clamp_min(0)
        image = (self.total * image / image.sum((1, 2), keepdim=True)).float()
        return self._exact(image).unsqueeze(1)

    def _exact(self, image: Tensor) -> Tensor:
        """Put what rounding to single precision added or took into the brightest pixel, where it is the least."""
        flat = image.flatten(1)
        brightest = flat.argmax(1, keepdim=True)
        missing = self.total - flat.sum(1, keepdim=True, dtype=torch.float64)
        return flat.scatter(1, brightest, (flat.gather(1, brightest) + missing).float()).view_as(image)

    def _ring(self, streams: Sequence[torch.Generator]) -> Tensor:
        """Brightness without noise, (B, size, size). Lengths are in units of half the image's side."""
        draws = uniform(streams, 10)[..., None, None].unbind(1)
        shadow = 0.3 + 0.2 * draws[0]  # radius of the shadow: 5.2 gravitational radii
        cosine = 0.15 + 0.85 * draws[1]  # of the inclination
        sine = (1 - cosine**2).sqrt()
        spin = 1.9 * draws[2] - 0.95
        width = shadow * (0.12 + 0.33 * draws[3])
        right, down = 0.12 * (draws[5] - 0.5), 0.12 * (draws[6] - 0.5)
        x, y = self._turned(2 * math.pi * draws[4], right, down)

        photon = torch.hypot(x - 0.35 * shadow * spin * sine, y)  # spin moves the shadow sideways
        flattened = torch.hypot(x, y / (0.55 + 0.45 * cosine))  # light bending keeps it from being flat
        angle = torch.atan2(y, x)
        radius = shadow * (1.1 + 0.3 * draws[7] - 0.12 * spin.abs())  # the inner edge comes in with the spin
        beyond = flattened - radius
        flow = torch.exp(-0.5 * (beyond / width).square() / torch.where(beyond < 0, 0.3, 1.0))
        thin = torch.exp(-0.5 * ((photon - shadow) / (0.1 * shadow)).square())

        speed = (shadow / 5.2 / flattened.clamp_min(0.5 * radius)).sqrt()  # Keplerian, in units of light's
        towards = speed * sine * torch.where(spin < 0, -1.0, 1.0) * torch.cos(angle)
        doppler = (1 - speed**2).sqrt() / (1 - towards)
        waves = self._waves(streams, angle, flattened / shadow)
        return doppler**3 * (flow * torch.exp(0.5 * draws[8] * waves) + (0.1 + 0.3 * draws[9]) * thin)

    def _turned(self, angle: Tensor, right: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates of the pixels along and across the line that the flow comes towards the observer on."""
        line = (torch.arange(self.size, dtype=torch.float64) + 0.5) * (2 / self.size) - 1
        x, y = line - right, line[:, None] - down
        return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()

    def _waves(self, streams: Sequence[torch.Generator], angle: Tensor, radius: Tensor) -> Tensor:
        """Spiral waves of random arms, pitch and phase: mean 0, variance 1."""
        arms = 1 + (5 * uniform(streams, _WAVES)).floor()
        pitch, phase = 3 * normal(streams, _WAVES), 2 * math.pi * uniform(streams, _WAVES)
        logarithm = radius.clamp_min(0.1).log()
        total = torch.zeros_like(angle)
        for wave in zip(arms.T, pitch.T, phase.T, strict=True):
            arm, turn, shift = (value[:, None, None] for value in wave)
            total += torch.cos(arm * angle + turn * logarithm + shift)
        return total * math.sqrt(2 / _WAVES)
