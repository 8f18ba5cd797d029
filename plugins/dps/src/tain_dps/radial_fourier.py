"""Fourier samples along lines through the origin, as of a radial scan in magnetic resonance imaging."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_dps.linear_operator import LinearOperator, require_shape

__all__ = ["RadialFourier"]


@final
class RadialFourier(LinearOperator):
    """The orthonormal Fourier transform of each channel, at the frequencies nearest to lines through the origin.

    Lines are evenly spread over the half circle, the first along the width. Images (B, C, H, W) give (B, C, 2, K): the
    real parts of K frequencies, and their imaginary parts. Each frequency is measured once, however many lines meet it.

    Source: Robust Uncertainty Principles, https://arxiv.org/abs/math/0409186 (section 1.1)

    Args:
        event_shape: shape (C, H, W) of one image.
        lines: how many.

    Example:
        >>> RadialFourier((1, 16, 16), lines=4)(torch.ones(1, 1, 16, 16))[0, 0, :, 0]  # the mean, times 16
        tensor([16.,  0.])
    """

    index: Tensor

    def __init__(
        self,
        event_shape: Annotated[tuple[int, int, int], Field("channels, height and width of one image", at_least=1)],
        lines: Annotated[int, Field("number of lines", at_least=1)],
    ):
        super().__init__()
        self.event_shape = event_shape
        _, height, width = event_shape
        angles = math.pi * torch.arange(lines, dtype=torch.float64) / lines
        reach = torch.linspace(-1, 1, 2 * max(height, width) + 1, dtype=torch.float64)  # two points an entry, or more
        down = (reach * ((height - 1) // 2) * angles.sin()[:, None]).round().long() % height
        across = (reach * ((width - 1) // 2) * angles.cos()[:, None]).round().long() % width
        self.register_buffer("index", (down * width + across).unique(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        require_shape("RadialFourier", x, self.event_shape)
        kept = torch.fft.fft2(x, norm="ortho").flatten(-2)[..., self.index]
        return torch.stack((kept.real, kept.imag), dim=-2)

    def adjoint(self, y: Tensor) -> Tensor:
        channels, height, width = self.event_shape
        require_shape("RadialFourier.adjoint", y, (channels, 2, len(self.index)))
        spectrum = torch.complex(y[:, :, 0], y[:, :, 1])
        empty = spectrum.new_zeros(len(y), channels, height * width)
        whole = empty.index_copy(-1, self.index, spectrum).unflatten(-1, (height, width))
        return torch.fft.ifft2(whole, norm="ortho").real
