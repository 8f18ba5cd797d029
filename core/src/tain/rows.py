"""One number for each row of a batch, and what it takes to compute with it."""

from torch import Tensor

__all__ = ["inner", "per_row"]


def per_row(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers (B,), shaped to be multiplied with `like`, (B, *S).

    Example:
        >>> import torch
        >>> per_row(torch.ones(3), torch.zeros(3, 2, 2)).shape
        torch.Size([3, 1, 1])
    """
    return numbers.reshape(-1, *[1] * (like.ndim - 1))


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each row of a with that of b: (B, *S), (B, *S) to (B,).

    Example:
        >>> import torch
        >>> inner(torch.ones(2, 3), torch.ones(2, 3))
        tensor([3., 3.])
    """
    return (a * b).unsqueeze(-1).flatten(1).sum(1)
