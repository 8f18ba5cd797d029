"""The units in which the networks see the data: those of mean 0 and deviation 1."""

from typing import final

import torch
from torch import Tensor, nn

__all__ = ["Units"]


@final
class Units(nn.Module):
    """A shift and a scale for each channel of images, (B, C, H, W), or one for all entries of vectors, (B, N).

    Vectors have one scale, so that their noise is as large in each direction.

    Args:
        event_shape: (N,) or (C, H, W).

    Example:
        >>> units = Units((2,))
        >>> units.take(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> units.shift.item(), round(units.scale.item(), 3)
        (2.5, 1.118)
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        shape = (event_shape[0], 1, 1) if len(event_shape) == 3 else (1,)
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @torch.no_grad()
    def take(self, x: Tensor) -> None:
        """Take mean and standard deviation of data (N, *event_shape), at least one row."""
        axes = (0, 2, 3) if x.ndim == 4 else (0, 1)
        mean, deviation = x.mean(axes), x.std(axes, correction=0)
        varies = deviation > 1e-6 * mean.abs()  # what does not has a deviation that is all rounding
        self.shift.copy_(mean.reshape(self.shift.shape))
        self.scale.copy_(torch.where(varies, deviation, 1).reshape(self.scale.shape))

    def standardised(self, x: Tensor) -> Tensor:
        """u = (x - shift) / scale."""
        return (x - self.shift) / self.scale

    def restored(self, u: Tensor) -> Tensor:
        """The inverse of that, in the units' own dtype: reduced precision ends here."""
        return self.shift + self.scale * u.to(self.scale.dtype)
