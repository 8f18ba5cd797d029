"""Which rows of the data each step takes, and which of them each process."""

import functools

import torch
from torch import Tensor

from tain_lab.randomness import stream

__all__ = ["batch_rows", "share_of"]


def batch_rows(count: int, batch: int, step: int, seed: int, order: int = 0) -> Tensor:
    """The rows of one step, the first being 0: (batch,) numbers below `count`. Another `order` gives other ones.

    Each epoch is a new random order of all rows, and the epochs follow each other without a gap. So every row is
    taken equally often, no row is dropped at the end of an epoch, and a batch that spans two epochs may hold a row
    twice (with other noise each time).

    >>> torch.cat([batch_rows(count=3, batch=2, step=step, seed=0) for step in range(3)]).bincount()
    tensor([2, 2, 2])
    """
    first, last = step * batch // count, ((step + 1) * batch - 1) // count
    pieces = []
    for epoch in range(first, last + 1):
        start, stop = step * batch - epoch * count, (step + 1) * batch - epoch * count
        pieces.append(_order(count, epoch, seed, order)[max(0, start) : min(count, stop)])
    return torch.cat(pieces)


def share_of(batch: int, process: int, processes: int) -> slice:
    """The places in a batch that one process takes; the shares differ by one at most.

    >>> [share_of(8, process, 3) for process in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """
    return slice(batch * process // processes, batch * (process + 1) // processes)


@functools.lru_cache(maxsize=2)  # steps come in order, so the last one is enough, of data and of what is paired to them
def _order(count: int, epoch: int, seed: int, order: int) -> Tensor:
    purpose = ("epoch",) if order == 0 else ("epoch", f"order {order}")
    return torch.randperm(count, generator=stream(seed, *purpose, epoch))
