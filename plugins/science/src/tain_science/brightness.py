"""Images of a known total brightness."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, OutsideSetError, Projectable, Residual, Retractable
from tain_analytic import Simplex
from tain_analytic.numerics import require_margin

__all__ = ["Brightness"]


@final
class Brightness(Projectable, Residual, Retractable):
    """Images whose pixels sum to a total, as where an instrument has measured the total flux of a source.

        distance(x) = |sum of x - total|,  and with `positive` + sum of max(-x, 0)

    Samples have shape (B, C, H, W), of any channels and size; all of them are summed, in double precision. What one
    rounding error of each pixel accounts for is no distance, so that images are in the set whatever their size and
    dtype.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
    (appendix F)

    Args:
        total: of the pixels; above 0 if they are not negative.
        positive: whether pixels must also be at least 0, as intensities are.

    Raises:
        ConfigurationError: a total of positive pixels that is not above 0.

    Example:
        >>> import torch
        >>> from tain_science import Brightness
        >>> images = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]], [[[11.0, -1.0], [0.0, 0.0]]]])
        >>> Brightness(10.0).distance(images), Brightness(10.0, positive=True).distance(images)
        (tensor([0., 0.]), tensor([0., 1.]))
    """

    event_ndim = 3

    def __init__(
        self,
        total: Annotated[float, Field("sum of all pixels", above=-math.inf, below=math.inf)],
        positive: Annotated[bool, Field("whether pixels must be at least 0")] = False,
    ):
        super().__init__()
        if positive and total <= 0:
            raise ConfigurationError(f"Brightness: 'total' is {total:g}, but must be above 0 for positive images.")
        self.total, self.positive, self.scale = total, positive, abs(total) or 1.0
        self.retraction = (
            "Each image is divided by its sum and multiplied by the total; pixels below the margin are then set to it "
            "and the image's others scaled down in common."
            if positive
            else "The same number is added to each pixel of an image; there is no boundary to keep away from."
        )

    def distance(self, x: Tensor) -> Tensor:
        """How far the sum is from the total, and how much of it is below 0 where that counts: (B, *S) to (B,)."""
        missing = (self._excess(x).abs() - torch.finfo(x.dtype).eps * x.abs().flatten(1).sum(1)).relu()
        return missing + (-x).relu().flatten(1).sum(1) if self.positive else missing

    def residual(self, x: Tensor) -> Tensor:
        """The sum less the total, and for positive images each negative pixel: (B, *S) to (B, 1 or 1 + C H W)."""
        excess = self._excess(x)[:, None]
        return torch.cat((excess, (-x).relu().flatten(1)), 1) if self.positive else excess

    def project(self, x: Tensor) -> Tensor:
        """The nearest image: the same number added to each pixel; of a positive one, to each that stays above 0."""
        self.require_shape(x)
        if self.positive:
            share = Simplex(_pixels(x)).project(x.flatten(1) / self.total)
            return (self.total * share).view(x.shape)
        return x - (self._excess(x) / _pixels(x)).view(-1, 1, 1, 1)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """A positive image divided by its sum, with pixels below `margin` replaced by it; else the nearest image.

        Raises:
            ConfigurationError: a margin below 0 or, of a positive image, not below its mean pixel.
            OutsideSetError: the sum of an image is not positive, or not finite.
        """
        mean = self.total / _pixels(x)
        require_margin("Brightness.retract", margin, mean if self.positive else torch.inf)
        if not self.positive:
            return self.project(x)
        try:
            share = Simplex(_pixels(x)).retract(x.flatten(1), margin / self.total)
        except OutsideSetError as cause:
            raise OutsideSetError(str(cause).replace("Simplex.retract", "Brightness.retract")) from None
        return (self.total * share).view(x.shape)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which pixels of positive images are below `margin`, else none: booleans, (B, *S)."""
        return x < margin if self.positive else torch.zeros_like(x, dtype=torch.bool)

    def _excess(self, x: Tensor) -> Tensor:
        self.require_shape(x)
        wide = x.dtype if x.device.type == "mps" else torch.float64  # the one device without it
        return (x.flatten(1).sum(1, dtype=wide) - self.total).to(x.dtype)


def _pixels(x: Tensor) -> int:
    return math.prod(x.shape[1:])
