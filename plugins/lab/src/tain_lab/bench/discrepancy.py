"""The maximum mean discrepancy without bias: it is zero on average for two sets of rows of one law.

The one of `tain_lab.metrics` counts each row beside itself, and so is above zero by chance even then, the more the
fewer rows there are: a ratio of two such figures is too near to one.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["gaussian_mmd", "kernel_distance", "unbiased"]

Kernel = Callable[[Tensor, Tensor], Tensor]


def unbiased(x: Tensor, y: Tensor, kernel: Kernel) -> float:
    """The squared discrepancy of rows x (N, C) and y (M, C), at least two of each; it may be below zero by chance.

    Source: A Kernel Two-Sample Test, lemma 6, https://jmlr.org/papers/v13/gretton12a.html

    Args:
        x, y: the rows.
        kernel: of all pairs: (N, C), (M, C) to (N, M).

    Example:
        >>> unbiased(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]]), lambda a, b: a @ b.mT)
        3.5
    """

    def among(rows: Tensor) -> Tensor:
        pairs = kernel(rows, rows)
        return (pairs.sum() - pairs.diagonal().sum()) / (len(rows) * (len(rows) - 1))

    return float(among(x) + among(y) - 2 * kernel(x, y).mean())


def gaussian_mmd(x: Tensor, y: Tensor) -> float:
    """The root of `unbiased`, or 0 below it, with a Gaussian kernel as wide as the median distance between rows of y.

    >>> rows = torch.arange(6.0).reshape(3, 2)
    >>> gaussian_mmd(rows, rows)
    0.0
    """
    x, y = x.double(), y.double()
    width = torch.pdist(y).median()
    squared = unbiased(x, y, lambda a, b: torch.exp(-torch.cdist(a, b).square() / (2 * width**2)))
    return math.sqrt(max(squared, 0.0))


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """The kernel distance of features (N, C) and (M, C): `unbiased` with the kernel (<a, b> / C + 1)^3.

    Source: Demystifying MMD GANs, https://arxiv.org/abs/1801.01401

    >>> rows = torch.arange(6.0).reshape(3, 2)
    >>> kernel_distance(rows, rows) < 0
    True
    """
    return unbiased(x.double(), y.double(), lambda a, b: (a @ b.mT / a.shape[1] + 1) ** 3)
