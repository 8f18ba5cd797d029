"""Patches of pixels as single ones with more channels, and back. (Those of torch leave empty batches as they are.)"""

from torch import Tensor

__all__ = ["joined", "split"]


def split(x: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) to (B, C patch^2, H / patch, W / patch).

    >>> import torch
    >>> split(torch.zeros(2, 1, 4, 6), 2).shape
    torch.Size([2, 4, 2, 3])
    """
    if patch == 1:
        return x
    rows, channels, height, width = x.shape
    parts = x.reshape(rows, channels, height // patch, patch, width // patch, patch).permute(0, 1, 3, 5, 2, 4)
    return parts.reshape(rows, channels * patch**2, height // patch, width // patch)


def joined(x: Tensor, patch: int) -> Tensor:
    """The inverse, and the transpose, of `split`.

    >>> import torch
    >>> x = torch.rand(2, 1, 4, 6)
    >>> torch.equal(joined(split(x, 2), 2), x)
    True
    """
    if patch == 1:
        return x
    rows, channels, height, width = x.shape
    parts = x.reshape(rows, channels // patch**2, patch, patch, height, width).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(rows, channels // patch**2, height * patch, width * patch)
