"""Linear maps that can be applied in both directions: dense for vectors, convolutions for images."""

import abc
import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pad, softplus

__all__ = ["Convolution", "Dense", "LinearMap"]

_KERNEL = 3
_FEW = 4


class LinearMap(nn.Module, abc.ABC):
    """A linear map with its transpose, both ordinary differentiable operations.

    Args:
        inputs, outputs: numbers of features.
        fan_in: how many numbers each output is a sum of.
        shape: shape of the weights.
        non_negative: keep every weight above 0, as the softplus of what is trained. They start around 1 / fan_in, so
            that outputs are about the mean of the inputs. Else they start as normal numbers of `size` / sqrt(fan_in).
        size: see above.
    """

    def __init__(self, fan_in: int, shape: tuple[int, ...], non_negative: bool, size: float):
        super().__init__()
        self.non_negative = non_negative
        if non_negative:
            wanted = (0.5 + torch.rand(shape)) / fan_in
            initial = wanted.expm1().log()  # the inverse of the softplus
        else:
            initial = size / math.sqrt(fan_in) * torch.randn(shape)
        self.weight = nn.Parameter(initial)

    def effective(self) -> Tensor:
        """The weights of the map. Not those that are trained, if they are to be positive."""
        return softplus(self.weight) if self.non_negative else self.weight

    @abc.abstractmethod
    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """The map of each row, and a constant (outputs,): (B, inputs, ...) to (B, outputs, ...)."""

    @abc.abstractmethod
    def transposed(self, v: Tensor) -> Tensor:
        """The transposed map of each row: (B, outputs, ...) to (B, inputs, ...)."""


@final
class Dense(LinearMap):
    """A matrix: (B, inputs) to (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, non_negative: bool = False, size: float = 1.0):
        super().__init__(inputs, (outputs, inputs), non_negative, size)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return linear(x, self.effective(), bias)

    def transposed(self, v: Tensor) -> Tensor:
        return linear(v, self.effective().T)


@final
class Convolution(LinearMap):
    """A convolution by 3 x 3 that keeps the size: (B, inputs, H, W) to (B, outputs, H, W).

    Its transpose is the convolution with the mirrored kernel, whether the image goes on with zeros or periodically.

    Example:
        >>> a = Convolution(2, 3, periodic=True)
        >>> x, v = torch.rand(4, 2, 5, 6), torch.rand(4, 3, 5, 6)
        >>> bool(torch.isclose((a(x) * v).sum(), (x * a.transposed(v)).sum()))
        True
    """

    def __init__(
        self, inputs: int, outputs: int, periodic: bool = False, non_negative: bool = False, size: float = 1.0
    ):
        super().__init__(_KERNEL**2 * inputs, (outputs, inputs, _KERNEL, _KERNEL), non_negative, size)
        self.periodic = periodic
        # Convolutions of few channels are slow: there the nine neighbours of a pixel are its channels, for one product.
        self.gathers = inputs <= _FEW

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.gathers:
            return conv2d(torch.cat(self._neighbours(x), dim=1), self._matrix(), bias)
        return self._convolved(x, self.effective(), bias)

    def transposed(self, v: Tensor) -> Tensor:
        if self.gathers:
            parts = conv2d(v, self._matrix().transpose(0, 1)).chunk(_KERNEL**2, dim=1)
            opposite = reversed(range(_KERNEL**2))
            terms = [self._neighbours(part)[place] for part, place in zip(parts, opposite, strict=True)]
            return torch.stack(terms).sum(0)
        return self._convolved(v, self.effective().transpose(0, 1).flip(2, 3))

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.periodic:
            return conv2d(pad(x, (1, 1, 1, 1), mode="circular"), weight, bias)
        return conv2d(x, weight, bias, padding=1)

    def _matrix(self) -> Tensor:
        """The weights as those of one pixel with all its neighbours: (outputs, 9 inputs, 1, 1)."""
        return self.effective().permute(0, 2, 3, 1).flatten(1)[:, :, None, None]

    def _neighbours(self, x: Tensor) -> list[Tensor]:
        """Of each pixel, the nine about it, row by row."""
        height, width = x.shape[2:]
        around = pad(x, (1, 1, 1, 1), mode="circular" if self.periodic else "constant")
        return [around[:, :, i : i + height, j : j + width] for i in range(_KERNEL) for j in range(_KERNEL)]
