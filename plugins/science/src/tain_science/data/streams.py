"""Random numbers row by row: row i depends on the seed and on i alone, whatever is drawn before or beside it."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from tain.randomness import generator

__all__ = ["normal", "row_streams", "seed_of", "uniform"]


def seed_of(rng: torch.Generator | int | None) -> int:
    """The seed of all rows: an integer is one; a generator gives the next of its numbers."""
    if isinstance(rng, int):
        return rng
    return int(torch.randint(2**62, (), generator=generator(rng)))


def row_streams(seed: int, rows: range) -> list[torch.Generator]:
    """One source of random numbers for each row.

    >>> one, = row_streams(0, range(7, 8))
    >>> several = row_streams(0, range(10))
    >>> uniform([one], 2).equal(uniform(several, 2)[7:8])
    True
    """
    return [_stream(seed, row) for row in rows]


def _stream(seed: int, row: int) -> torch.Generator:
    digest = hashlib.blake2b(repr((seed, row)).encode(), digest_size=7).digest()  # near seeds give far streams
    return torch.Generator().manual_seed(int.from_bytes(digest))


def normal(streams: Sequence[torch.Generator], *shape: int) -> Tensor:
    """Independent standard normal numbers, (len(streams), *shape), float64."""
    return torch.stack([torch.randn(shape, generator=stream, dtype=torch.float64) for stream in streams])


def uniform(streams: Sequence[torch.Generator], *shape: int) -> Tensor:
    """Independent uniform numbers in [0, 1), (len(streams), *shape), float64."""
    return torch.stack([torch.rand(shape, generator=stream, dtype=torch.float64) for stream in streams])
