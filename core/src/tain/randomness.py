"""Random numbers that come from one explicit source, whatever the device, and never from the global state."""

import torch
from torch import Tensor

__all__ = ["generator", "standard_normal", "uniform"]


def generator(rng: torch.Generator | int | None = None) -> torch.Generator:
    """The source of random numbers for one call.

    A `torch.Generator` is returned as it is, an integer seeds a new one on the CPU, and None makes one seeded from
    the operating system: results then differ from call to call, and the global state of torch is left alone.

    >>> generator(0).initial_seed()
    0
    """
    if isinstance(rng, torch.Generator):
        return rng
    fresh = torch.Generator()
    if rng is None:
        fresh.seed()
    else:
        fresh.manual_seed(rng)
    return fresh


def standard_normal(shape: tuple[int, ...], rng: torch.Generator, like: Tensor) -> Tensor:
    """Independent standard normal numbers of the given shape, with the dtype and device of `like`.

    They are drawn on the device of `rng` and then moved, so that one seed gives one result on every device.
    """
    return torch.randn(shape, generator=rng, device=rng.device, dtype=like.dtype).to(like.device)


def uniform(shape: tuple[int, ...], rng: torch.Generator, like: Tensor) -> Tensor:
    """Independent uniform numbers in [0, 1) of the given shape, with the dtype and device of `like`."""
    return torch.rand(shape, generator=rng, device=rng.device, dtype=like.dtype).to(like.device)
