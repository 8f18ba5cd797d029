"""The multiplicative mirror map of positive images that keeps their shape."""

from typing import Annotated, final

from torch import Tensor

from tain import Field
from tain_analytic import Simplex, SimplexSoftmax
from tain_science.brightness import Brightness
from tain_science.brightness_map import BrightnessMap

__all__ = ["BrightnessSoftmax"]


@final
class BrightnessSoftmax(BrightnessMap[SimplexSoftmax]):
    """Positive images of a total, by centred log-ratios: an image one way, softmax times the total the other.

        forward    y_i = log x_i - mean of log x        inverse    x = total softmax(y)

    Every pixel keeps its place, so that networks of images apply: `tain.mirror_for` gives this one. It is
    `tain_analytic.SimplexSoftmax` of the pixels' shares, and like it no bijection, since mirror images have sum zero;
    where a density is wanted, use `BrightnessEntropy`.

    Valid range: `inverse` is in the set for every finite y up to 1e30 in size; pixels below 1e-31 of the total in
    float32 (1e-292 in float64), zeros among them, count as that.

    Source: The Statistical Analysis of Compositional Data, https://doi.org/10.1111/j.2517-6161.1982.tb01195.x

    Args:
        constraint: the total of positive images. Samples and mirror images have shape (B, C, H, W).

    Raises:
        ConfigurationError: images that may be negative.

    Example:
        >>> import torch
        >>> from tain_science import Brightness, BrightnessSoftmax
        >>> mirror = BrightnessSoftmax(Brightness(120.0, positive=True))
        >>> x = mirror.inverse(torch.randn(5, 1, 8, 8))
        >>> bool((x > 0).all()), x.sum((1, 2, 3)).round(decimals=3)
        (True, tensor([120., 120., 120., 120., 120.]))
    """

    def __init__(self, constraint: Annotated[Brightness, Field("the total of positive images")]):
        super().__init__(constraint)

    def shares(self, pixels: int) -> SimplexSoftmax:
        return SimplexSoftmax(Simplex(pixels))

    def flat(self, y: Tensor) -> Tensor:
        return y.flatten(1)

    def shaped(self, y: Tensor, x: Tensor) -> Tensor:
        return y.view(x.shape)

    def image(self, share: Tensor, y: Tensor) -> Tensor:
        return share.view(y.shape)
