"""The paper's network of images: that of CycleGAN, with two halvings and six residual blocks."""

from typing import final

import torch
from torch import Tensor, nn

from tain import ConfigurationError
from tain_namm.residual import shrink

__all__ = ["ResNet"]

_SMALLEST = 8  # pixels a side: two halvings must leave more than one, or instance normalisation leaves nothing


@final
class ResNet(nn.Module):
    """Images (B, inputs, H, W) to (B, C, H, W): two halvings, residual blocks at a quarter of the size, and back.

    Instance normalisation is that of each image by itself. The released code also has dropout of one half in each
    block, which the paper does not speak of and this has not.

    Sources:
        Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, appendix,
            https://arxiv.org/abs/1703.10593
        Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816

    Args:
        event_shape: (C, H, W), H and W at least 8.
        width: features of the first layer; the blocks have four times as many.
        blocks: number of residual blocks.
        small: let it give next to nothing until it is trained, as residual forms want it.
        inputs: channels of what it is given; by default C.

    Raises:
        ConfigurationError: the images are smaller.

    Example:
        >>> network = ResNet((1, 8, 12), width=4, blocks=1)
        >>> network(torch.zeros(2, 1, 8, 12)).shape
        torch.Size([2, 1, 8, 12])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        width: int = 64,
        blocks: int = 6,
        small: bool = False,
        inputs: int | None = None,
    ):
        super().__init__()
        channels, height, width_in_pixels = event_shape
        if min(height, width_in_pixels) < _SMALLEST:
            raise ConfigurationError(
                f"ResNet: 'event_shape' is {event_shape}, but must have height and width of at least {_SMALLEST}. "
                "Take the network 'unet'."
            )
        self.size = (height, width_in_pixels)
        self.down = nn.Sequential(
            _convolution(channels if inputs is None else inputs, width, 7),
            _convolution(width, 2 * width, 3, 2),
            _convolution(2 * width, 4 * width, 3, 2),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(_convolution(4 * width, 4 * width, 3), _convolution(4 * width, 4 * width, 3, last=True))
            for _ in range(blocks)
        )
        self.up = nn.Sequential(_transposed(4 * width, 2 * width), _transposed(2 * width, width))
        self.last = nn.Conv2d(width, channels, 7, padding=3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if small:
            shrink(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, C, H, W)."""
        hidden = self.down(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        height, width = self.size
        outputs: Tensor = self.last(self.up(hidden)[:, :, :height, :width])  # up again, a side may be longer
        return outputs


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, last: bool = False) -> nn.Sequential:
    # No bias: the normalisation would take it away again, and a weight without gradient stops parallel training.
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(outputs, outputs), nn.Identity() if last else nn.ReLU())


def _transposed(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(outputs, outputs), nn.ReLU())
