"""The networks of images: five convolutions from pixels to features, and five back."""

import math
from itertools import pairwise
from typing import final

from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

__all__ = ["ConvolutionalDecoder", "ConvolutionalEncoder", "levels"]

_LAYERS = 5
_SMALLEST = 4  # an axis this short is no more halved: a 3 x 3 kernel would see mostly its padding

Level = tuple[int, int, int]


def levels(image_shape: Level, width: int) -> list[Level]:
    """Channels, height and width of the image and of what each layer makes of it: six triples.

    An axis longer than 4 is halved, rounded up; where the size first shrinks there are `width` channels, and each time
    that it shrinks again twice as many.

    >>> levels((1, 28, 28), 32)
    [(1, 28, 28), (32, 14, 14), (64, 7, 7), (128, 4, 4), (128, 4, 4), (128, 4, 4)]
    """
    channels, *size = image_shape
    found = [image_shape]
    for layer in range(_LAYERS):
        halved = [-(-length // 2) if length > _SMALLEST else length for length in size]
        channels = width if layer == 0 else channels * 2 if halved != size else channels
        size = halved
        found.append((channels, size[0], size[1]))
    return found


@final
class ConvolutionalEncoder(nn.Module):
    """Five 3 x 3 convolutions with GELU, of stride 2 along each axis longer than 4, then a linear layer.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, appendix A,
    https://arxiv.org/abs/2406.12816 (five layers, GELU; the numbers of channels are chosen here)

    Args:
        image_shape: channels, height and width, each at least 1.
        outputs: number of entries of the result.
        width: channels of the first layer.

    Example:
        >>> import torch
        >>> ConvolutionalEncoder((3, 20, 12), outputs=8, width=4)(torch.zeros(2, 3, 20, 12)).shape
        torch.Size([2, 8])
    """

    def __init__(self, image_shape: Level, outputs: int, width: int):
        super().__init__()
        shapes = levels(image_shape, width)
        self.layers = nn.ModuleList(
            nn.Conv2d(c, d, 3, stride=(1 + (h > _SMALLEST), 1 + (w > _SMALLEST)), padding=1)
            for (c, h, w), (d, _, _) in pairwise(shapes)
        )
        self.project = nn.Linear(math.prod(shapes[-1]), outputs)
        _keep_variance(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *image_shape) to (B, outputs)."""
        for layer in self.layers:
            x = gelu(layer(x))
        outputs: Tensor = self.project(x.flatten(1))
        return outputs


@final
class ConvolutionalDecoder(nn.Module):
    """The encoder's layers in reverse: a linear layer, then five 3 x 3 convolutions with GELU before each.

    An image grows by repeating its pixels before a convolution, since transposed convolutions leave checkerboards.

    Source: Deconvolution and Checkerboard Artifacts, https://doi.org/10.23915/distill.00003

    Args:
        inputs: number of entries that an image is made from.
        image_shape: channels, height and width, each at least 1.
        width: channels before the last layer.

    Example:
        >>> import torch
        >>> ConvolutionalDecoder(8, (3, 20, 12), width=4)(torch.zeros(2, 8)).shape
        torch.Size([2, 3, 20, 12])
    """

    def __init__(self, inputs: int, image_shape: Level, width: int):
        super().__init__()
        self.shapes = levels(image_shape, width)[::-1]
        self.embed = nn.Linear(inputs, math.prod(self.shapes[0]))
        self.layers = nn.ModuleList(nn.Conv2d(c, d, 3, padding=1) for (c, _, _), (d, _, _) in pairwise(self.shapes))
        _keep_variance(self)

    @staticmethod
    def activations(image_shape: Level, width: int) -> int:
        """About how many numbers are held at a time for one image."""
        return 4 * (width + image_shape[0]) * math.prod(image_shape[1:])  # half are copies in another layout

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, *image_shape)."""
        x = self.embed(x).reshape(len(x), *self.shapes[0])
        for layer, (_, *size) in zip(self.layers, self.shapes[1:], strict=True):
            x = layer(interpolate(gelu(x), size=size))
        return x


def _keep_variance(network: nn.Module) -> None:
    """Draw weights that leave the numbers of each layer about as large as those of the one before.

    By torch's own, encoder and decoder together shrink the differences between images of 28 x 28 a millionfold, and
    hundreds of steps go by to undo that.

    Source: Delving Deep into Rectifiers, https://arxiv.org/abs/1502.01852
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu" if isinstance(layer, nn.Conv2d) else "linear")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
