"""The multiplicative mirror map of positive images that is one to one."""

import math
from typing import Annotated, final

from torch import Tensor

from tain import Field, Legendre, ShapeError
from tain_analytic import Simplex, SimplexEntropy
from tain_science.brightness import Brightness
from tain_science.brightness_map import BrightnessMap

__all__ = ["BrightnessEntropy"]


@final
class BrightnessEntropy(BrightnessMap[SimplexEntropy], Legendre):
    """Positive images of a total, by isometric log-ratios: vectors of C H W - 1 numbers.

    It is one to one, so that densities are known; in return mirror images are no images, and need networks of vectors.
    It is `tain_analytic.SimplexEntropy` of the pixels' shares. `tain.mirror_for` gives `BrightnessSoftmax`.

    Valid range: that of `BrightnessSoftmax`.

    Source: Isometric Logratio Transformations for Compositional Data Analysis, https://doi.org/10.1023/A:1023818214614

    Args:
        constraint: the total of positive images.
        event_shape: channels, height and width, of two pixels at least.

    Raises:
        ConfigurationError: images that may be negative, or of a single pixel.

    Example:
        >>> import torch
        >>> from tain_science import Brightness, BrightnessEntropy
        >>> mirror = BrightnessEntropy(Brightness(2.0, positive=True), event_shape=(1, 1, 2))
        >>> mirror.inverse(torch.zeros(1, 1))
        tensor([[[[1., 1.]]]])
    """

    def __init__(
        self,
        constraint: Annotated[Brightness, Field("the total of positive images")],
        event_shape: Annotated[tuple[int, int, int], Field("channels, height and width", at_least=1)],
    ):
        super().__init__(constraint)
        self.event_shape = event_shape
        self._shares = SimplexEntropy(Simplex(math.prod(event_shape)))

    def shares(self, pixels: int) -> SimplexEntropy:
        return self._shares

    def flat(self, y: Tensor) -> Tensor:
        return y

    def shaped(self, y: Tensor, x: Tensor) -> Tensor:
        return y

    def image(self, share: Tensor, y: Tensor) -> Tensor:
        return share.view(-1, *self.event_shape)

    def forward(self, x: Tensor) -> Tensor:
        """The log-ratios of the pixels: (B, C, H, W) to (B, C H W - 1).

        Raises:
            ShapeError: images of another shape.
            OutsideSetError: an image is outside of the set by more than its tolerance.
        """
        if tuple(x.shape[1:]) != self.event_shape:
            wanted = ", ".join(map(str, self.event_shape))
            raise ShapeError(f"BrightnessEntropy: samples have shape {tuple(x.shape)}, but must have (B, {wanted}).")
        return super().forward(x)

    def log_det(self, x: Tensor) -> Tensor:
        """log |dy / d(all pixels but the last)|: (B, C, H, W) to (B,)."""
        return self._shares.log_det(self._share(x)) - (math.prod(self.event_shape) - 1) * math.log(
            self.constraint.total
        )

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(event_shape) - 1,)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.event_shape
