"""The network of images that a laptop can train: a small U-Net without normalisation."""

from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, silu

from tain_namm.patches import joined, split
from tain_namm.residual import shrink

__all__ = ["UNet"]

_LEVELS = 3
_SMALLEST = 4  # an axis this short is no more halved
_WIDEST = 4  # times the width of the first level


@final
class UNet(nn.Module):
    """Images (B, inputs, H, W) of any size to (B, C, H, W).

    Up to three halvings, with residual convolutions on the way back at each level, where a linear map of the mean over
    pixels is added as well, for rules on the image as a whole. Nothing is normalised: a rule may be about how large
    things are, and instance normalisation takes that away.

    Source: U-Net: Convolutional Networks for Biomedical Image Segmentation, https://arxiv.org/abs/1505.04597

    Args:
        event_shape: (C, H, W).
        width: features at full size; twice as many at half of it, four times as many below.
        blocks: residual convolutions at each level.
        periodic: whether images go on beyond an edge with those of the other one, and not with zeros.
        small: let it give next to nothing until it is trained, as residual forms want it.
        patch: how many pixels a side are taken together as one with more channels; H and W are multiples of it.
        inputs: channels of what it is given; by default C.

    Example:
        >>> UNet((2, 9, 6), width=4)(torch.ones(3, 2, 9, 6)).shape
        torch.Size([3, 2, 9, 6])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        width: int = 16,
        blocks: int = 1,
        periodic: bool = False,
        small: bool = True,
        patch: int = 1,
        inputs: int | None = None,
    ):
        super().__init__()
        channels, size = event_shape[0] * patch**2, [length // patch for length in event_shape[1:]]
        self.patch = patch
        widths = [width]
        while len(widths) <= _LEVELS and min(size) > _SMALLEST:
            size = [-(-length // 2) for length in size]
            widths.append(width * min(2 ** len(widths), _WIDEST))
        given = channels if inputs is None else inputs * patch**2
        self.first = _Convolution(given, width, periodic)
        self.down = nn.ModuleList(_Convolution(a, b, periodic, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.levels = nn.ModuleList(_Level(features, blocks, periodic) for features in widths)
        self.last = _Convolution(width, channels, periodic)
        if small:
            shrink(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, C, H, W)."""
        x = split(x, self.patch)
        hidden = self.first(x.contiguous(memory_format=torch.channels_last))
        levels = [hidden]
        for down in self.down:
            hidden = down(silu(hidden))
            levels.append(hidden)
        hidden = self.levels[-1](levels.pop())
        for up, level in zip(reversed(self.up), reversed(self.levels[:-1]), strict=True):
            finer = levels.pop()
            hidden = level(finer + interpolate(up(hidden), size=finer.shape[2:]))
        return joined(self.last(silu(hidden)), self.patch)


class _Level(nn.Module):
    """What is done at one size of image: features of the whole are added to each pixel, then residual convolutions."""

    def __init__(self, features: int, blocks: int, periodic: bool):
        super().__init__()
        self.whole = nn.Linear(features, features)
        self.blocks = nn.ModuleList(_Convolution(features, features, periodic) for _ in range(blocks))

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.whole(hidden.mean((2, 3)))[:, :, None, None]
        for block in self.blocks:
            hidden = hidden + block(silu(hidden))
        return hidden


class _Convolution(nn.Conv2d):
    """A 3 x 3 convolution; with stride 1 it keeps the size, with stride 2 it halves it, rounded up."""

    def __init__(self, inputs: int, outputs: int, periodic: bool, stride: int = 1):
        super().__init__(inputs, outputs, 3, stride, padding=0 if periodic else 1)
        self.periodic = periodic

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad(x, (1, 1, 1, 1), mode="circular") if self.periodic else x)
