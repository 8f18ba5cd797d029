"""Constructor arguments that the generators of images share, declared once."""

from typing import Annotated

import torch
from torch import Tensor

from tain import Field
from tain_diffusion.unet import Padding as PaddingName

__all__ = ["Attention", "Channels", "ImageShape", "Layers", "Padding", "channel_statistics"]

ImageShape = Annotated[tuple[int, ...], Field("shape of one image: channels, height, width", at_least=1)]
Channels = Annotated[tuple[int, ...], Field("hidden channels of each level; each next has half the size", at_least=4)]
Layers = Annotated[int, Field("residual blocks of each level", at_least=1)]
Attention = Annotated[tuple[int, ...], Field("levels with self-attention, 0 being the full size", at_least=0)]
Padding = Annotated[PaddingName, Field("what the network sees beyond the edges of an image")]


def channel_statistics(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over all pixels of all images: (N, C, H, W) to twice (C, 1, 1)."""
    deviation, mean = torch.std_mean(y, dim=(0, 2, 3), correction=0)
    return mean[:, None, None], deviation[:, None, None]
