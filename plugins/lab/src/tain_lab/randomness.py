"""Streams of random numbers: one for each purpose and step, all from one seed."""

import hashlib

import torch

__all__ = ["stream"]


def stream(seed: int, *purpose: str | int) -> torch.Generator:
    """A source of random numbers that depends on nothing but the seed and the purpose.

    The numbers of training step k are those of stream(seed, "step", k): a run that is resumed at step k draws what
    an undisturbed one would have drawn, and no state has to be stored.

    >>> import torch
    >>> torch.rand(1, generator=stream(0, "a")) == torch.rand(1, generator=stream(0, "a"))
    tensor([True])
    """
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))
