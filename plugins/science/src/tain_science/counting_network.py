"""A small network that counts things in images of any size."""

import math
from itertools import pairwise
from typing import Annotated, final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, softplus

from tain import Configured, Field, ShapeError

__all__ = ["CountingNetwork"]


@final
class CountingNetwork(Configured):
    """The count as the sum of a density over the image: convolutions that see a neighbourhood each, then a sum.

    Each stage is two 3 x 3 convolutions with GELU, the second of stride 2. What adds up over the image is at least 0
    everywhere, so that images of any size can be counted, and no layer looks at other rows. A new network counts about
    one for each 16 x 16 pixels; train it by the squared error of its counts.

    Source: Learning To Count Objects in Images, https://papers.nips.cc/paper/4043 (a density that adds up to the count)

    Args:
        channels: of the images.
        width: channels of the first stage; each stage has twice as many as the one before.
        stages: how often the image is halved.

    Example:
        >>> import torch
        >>> CountingNetwork(channels=1)(torch.zeros(3, 1, 64, 48)).shape
        torch.Size([3])
    """

    def __init__(
        self,
        channels: Annotated[int, Field("channels of the images", at_least=1)] = 1,
        width: Annotated[int, Field("channels of the first stage", at_least=1)] = 16,
        stages: Annotated[int, Field("how often the image is halved", at_least=1)] = 2,
    ):
        super().__init__()
        self.channels = channels
        widths = [channels, *(width * 2**stage for stage in range(stages))]
        pairs = [(nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, stride=2, padding=1)) for a, b in pairwise(widths)]
        self.layers = nn.ModuleList(layer for pair in pairs for layer in pair)
        self.density = nn.Conv2d(widths[-1], 1, 1)
        with torch.no_grad():
            for layer in self.layers:
                assert isinstance(layer, nn.Conv2d)
                nn.init.kaiming_normal_(layer.weight)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
            assert self.density.bias is not None
            nn.init.constant_(self.density.bias, math.log(math.expm1(4**stages / 256)))

    def forward(self, x: Tensor) -> Tensor:
        """Counts: (B, channels, H, W) to (B,).

        Raises:
            ShapeError: images of other channels.
        """
        return self.cells(x).flatten(1).sum(1)

    def cells(self, x: Tensor) -> Tensor:
        """How much of the count each cell of the image has: (B, channels, H, W) to (B, 1, h, w).

        Raises:
            ShapeError: images of other channels.
        """
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ShapeError(
                f"CountingNetwork: images have shape {tuple(x.shape)}, but must have (B, {self.channels}, H, W)."
            )
        for layer in self.layers:
            x = gelu(layer(x))
        return softplus(self.density(x))
