"""The denoising network for images and fields: a U-Net that is told the time.

Its blocks are those of diffusers' `UNet2DModel`, which takes seconds to import and so is imported when one is built.
"""

import math
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from tain import ConfigurationError

__all__ = ["Padding", "UNet"]

Padding = Literal["zeros", "periodic"]

_FREQUENCIES = 16
_MOST_GROUPS, _LEAST_GROUP = 32, 4  # of a group norm: groups, and channels in each


@final
class UNet(nn.Module):
    """A DDPM++-style U-Net for images (C, H, W) of any number of channels: residual blocks on a pyramid of sizes.

    Each level has half the height and width of the one above. Every residual block is scaled and shifted by an
    embedding of time and condition. With periodic padding each convolution wraps around the edges, so that a cyclic
    shift of the image by a multiple of 2^(levels - 1) shifts the result alike. Nothing but group norms normalises, so
    that each sample is on its own. It starts as the zero function: the last layer's weights are zero.

    Sources:
        Denoising Diffusion Probabilistic Models (the U-Net), https://arxiv.org/abs/2006.11239
        Score-Based Generative Modeling through SDEs (DDPM++), https://arxiv.org/abs/2011.13456
        Diffusion Models Beat GANs on Image Synthesis (adaptive group norm), https://arxiv.org/abs/2105.05233

    Args:
        event_shape: (C, H, W); height and width must be multiples of 2^(levels - 1).
        channels: hidden channels of each level, the full size first; at least 4 each.
        layers: residual blocks of each level.
        attention: levels with self-attention, 0 being the full size; its cost is the square of the number of pixels.
        padding: what convolutions see beyond the edges: zeros, or the opposite edge.
        features: size of the condition, 0 for none.

    Raises:
        ConfigurationError: the size of the image, a number of channels or a level does not fit.

    Example:
        >>> import torch
        >>> network = UNet(event_shape=(2, 8, 12), channels=(8, 16), padding="periodic")
        >>> network(torch.zeros(3, 2, 8, 12), torch.tensor([0.0, 0.5, 1.0])).shape
        torch.Size([3, 2, 8, 12])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        channels: tuple[int, ...],
        layers: int = 2,
        attention: tuple[int, ...] = (),
        padding: Padding = "zeros",
        features: int = 0,
    ):
        super().__init__()
        _require_channels(channels)
        _require_size(event_shape, levels=len(channels))
        _require_levels(attention, levels=len(channels))

        from diffusers import UNet2DModel

        groups = _groups(channels)
        levels = range(len(channels))
        unet: Any = UNet2DModel(
            in_channels=event_shape[0],
            out_channels=event_shape[0],
            block_out_channels=channels,
            layers_per_block=layers,
            down_block_types=tuple("AttnDownBlock2D" if level in attention else "DownBlock2D" for level in levels),
            up_block_types=tuple("AttnUpBlock2D" if level in attention else "UpBlock2D" for level in reversed(levels)),
            add_attention=levels[-1] in attention,  # in the middle, as at the last level
            attention_head_dim=None,  # one head
            norm_num_groups=groups,
            attn_norm_num_groups=groups,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity" if features else None,
        )
        width = 4 * channels[0]
        unet.time_proj = _Fourier()  # diffusers' own expects whole steps, and always computes in float32
        unet.time_embedding = _perceptron(2 * _FREQUENCIES, width)
        if padding == "periodic":
            for layer in unet.modules():
                if isinstance(layer, nn.Conv2d) and any(layer.padding):
                    layer.padding_mode = "circular"
        nn.init.zeros_(unet.conv_out.weight)
        nn.init.zeros_(unet.conv_out.bias)
        self.unet = unet
        self.embed_condition = _perceptron(features, width) if features else None

    @staticmethod
    def activations(event_shape: tuple[int, ...], channels: tuple[int, ...], layers: int) -> int:
        """About how many numbers are kept of one image for a gradient."""
        levels = [size * math.prod(event_shape[1:]) // 4**level for level, size in enumerate(channels)]
        return 10 * (2 * layers + 1) * sum(levels)

    def forward(self, z: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """z (B, C, H, W), times t (B,) in [0, 1], condition (B, features) if there is one, to (B, C, H, W)."""
        if len(z) == 0:  # of which the library's attention makes nothing
            return z
        embedded = None if self.embed_condition is None else self.embed_condition(condition)
        result: Tensor = self.unet(z, t, class_labels=embedded, return_dict=False)[0]
        return result


@final
class _Fourier(nn.Module):
    """Sines and cosines of the time: (B,) to (B, 32)."""

    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Half periods from the whole time axis to 1/16 of it: smooth enough for the steps of an ODE solver.
        self.register_buffer("frequencies", math.pi * torch.logspace(0, 4, _FREQUENCIES, base=2))

    def forward(self, t: Tensor) -> Tensor:
        phase = t[:, None] * self.frequencies
        return torch.cat((phase.sin(), phase.cos()), dim=1)


def _perceptron(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, width))


def _groups(channels: tuple[int, ...]) -> int:
    """The number of groups of every group norm: it divides the channels of all levels.

    A group holds several channels, since a single one of a single pixel would be normalised to zero.
    """
    common, most = math.gcd(*channels), min(_MOST_GROUPS, min(channels) // _LEAST_GROUP)
    return max(groups for groups in range(1, most + 1) if common % groups == 0)


def _require_channels(channels: tuple[int, ...]) -> None:
    if not channels or min(channels) < _LEAST_GROUP:
        raise ConfigurationError(
            f"UNet: 'channels' is {channels}, but must hold one number a level, each at least {_LEAST_GROUP}."
        )


def _require_size(event_shape: tuple[int, ...], levels: int) -> None:
    if len(event_shape) != 3:
        raise ConfigurationError(
            f"UNet: 'event_shape' is {event_shape}, but must be that of an image, (channels, height, width)."
        )
    stride = 2 ** (levels - 1)
    for name, size in zip(("height", "width"), event_shape[1:], strict=True):
        if size % stride:
            near = " or ".join(str(fit) for fit in (size - size % stride, size - size % stride + stride) if fit)
            raise ConfigurationError(
                f"UNet: the {name} is {size}, but must be a multiple of {stride}, since each of the {levels} levels "
                f"but the last halves it. Crop, pad or resample to {near}, or give 'channels' for fewer levels."
            )


def _require_levels(attention: tuple[int, ...], levels: int) -> None:
    for level in attention:
        if not 0 <= level < levels:
            raise ConfigurationError(f"UNet: 'attention' names level {level}, but there are only 0 to {levels - 1}.")
