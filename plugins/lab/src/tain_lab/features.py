"""What distances between arrays are computed on: images as short rows of numbers."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from tain_lab.training_data import chunks

__all__ = ["MOST_FEATURES", "features", "pooling"]

MOST_FEATURES = 1024
"""Numbers a sample that distances look at, at the most: they cost as much, and say little about single pixels."""


def pooling(event_shape: tuple[int, ...]) -> int:
    """The side of the squares of pixels that are averaged: the smallest power of 2 that leaves 1024 numbers at most.

    Only images, of shape (C, H, W), are averaged; their channels never are.

    >>> pooling((1, 64, 64)), pooling((16, 64, 64)), pooling((3, 8, 8)), pooling((5,))
    (2, 8, 1, 1)
    """
    side = 1
    while len(event_shape) == 3 and min(event_shape[1:]) > side:
        if math.prod(_pooled(event_shape, side)) <= MOST_FEATURES:
            break
        side *= 2
    return side


@torch.no_grad()
def features(samples: Tensor) -> Tensor:
    """Samples (N, *S) as rows (N, D): vectors as they are, images averaged over squares of pixels and flattened."""
    if samples.ndim == 2:
        return samples
    shape = tuple(samples.shape[1:])
    size = _pooled(shape, pooling(shape))
    rows = torch.empty(len(samples), math.prod(size), dtype=samples.dtype)
    for part in chunks(samples):
        taken = samples[part]
        rows[part] = (functional.adaptive_avg_pool2d(taken, (size[1], size[2])) if size != shape else taken).flatten(1)
    return rows


def _pooled(event_shape: tuple[int, ...], side: int) -> tuple[int, ...]:
    if side == 1:
        return event_shape
    return (event_shape[0], *(-(-length // side) for length in event_shape[1:]))
