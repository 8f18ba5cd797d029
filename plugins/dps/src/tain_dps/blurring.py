"""Operators that lose detail: means of blocks, and blur."""

import math
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, ShapeError
from tain_dps.linear_operator import LinearOperator

__all__ = ["Blur", "Downsample"]

_AXES = Field("how many of a sample's last dimensions are of space: 2 for images, 1 for signals", at_least=1)


@final
class Downsample(LinearOperator):
    """The mean of each block of `factor` entries along each dimension of space.

    Args:
        factor: size of the blocks; the sample's sizes are multiples of it.
        axes: how many of a sample's last dimensions are of space.

    Example:
        >>> Downsample(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
        tensor([[[[ 2.5000,  4.5000],
                  [10.5000, 12.5000]]]])
    """

    def __init__(
        self,
        factor: Annotated[int, Field("entries of a block along each dimension of space", at_least=1)],
        axes: Annotated[int, _AXES] = 2,
    ):
        super().__init__()
        self.factor, self.axes = factor, axes

    def forward(self, x: Tensor) -> Tensor:
        sizes = _sizes("Downsample", x, self.axes)
        if any(size % self.factor for size in sizes):
            raise ShapeError(
                f"Downsample: was given shape {tuple(x.shape)}, whose last {self.axes} sizes are no multiples of "
                f"'factor' {self.factor}. Cut the samples, or choose a factor that divides their sizes."
            )
        for axis in range(-self.axes, 0):
            x = x.unflatten(axis, (-1, self.factor)).mean(axis)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        _sizes("Downsample.adjoint", y, self.axes)
        for axis in range(-self.axes, 0):
            y = y.repeat_interleave(self.factor, axis)
        return y / self.factor**self.axes


@final
class Blur(LinearOperator):
    """Convolution with a Gaussian on a periodic grid, whose sum is one. It is its own adjoint.

    Frequency f, in cycles an entry, is multiplied by exp(-2 pi^2 width^2 f^2), the Fourier transform of the Gaussian.

    Args:
        width: standard deviation of the Gaussian.
        axes: how many of a sample's last dimensions are of space.

    Example:
        >>> point = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
        >>> Blur(0.7, axes=1)(point)
        tensor([[0.0065, 0.2151, 0.5568, 0.2151, 0.0065]])
    """

    def __init__(
        self,
        width: Annotated[float, Field("standard deviation of the Gaussian", unit="entries", above=0, below=math.inf)],
        axes: Annotated[int, _AXES] = 2,
    ):
        super().__init__()
        self.width, self.axes = width, axes

    def forward(self, x: Tensor) -> Tensor:
        _sizes("Blur", x, self.axes)
        for axis in range(-self.axes, 0):
            size = x.shape[axis]
            frequency = torch.fft.rfftfreq(size, dtype=x.dtype, device=x.device)
            factor = torch.exp(-2 * (math.pi * self.width * frequency).square())
            spectrum = torch.fft.rfft(x, dim=axis) * factor.reshape(-1, *[1] * (-axis - 1))
            x = torch.fft.irfft(spectrum, n=size, dim=axis)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)


def _sizes(place: str, x: Tensor, axes: int) -> tuple[int, ...]:
    """The sizes of the dimensions of space."""
    if x.ndim <= axes:
        raise ShapeError(
            f"{place}: was given shape {tuple(x.shape)}, but takes samples of at least {axes} dimensions, 'axes'."
        )
    return tuple(x.shape[-axes:])
