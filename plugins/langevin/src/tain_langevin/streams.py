"""Random numbers of many chains, each from a source of its own, so that no chain depends on those beside it."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["Streams"]

_STEPS_AT_ONCE = 64


class Streams:
    """A source of random numbers for each chain. The first chains get the same numbers, however many there are.

    Args:
        rng: what the sources are seeded from.
        chains: how many.
        example: a tensor of the dtype and device of the numbers.

    Example:
        >>> import torch
        >>> few, many = (Streams(torch.Generator().manual_seed(0), n, torch.zeros(())) for n in (2, 5))
        >>> (next(few.steps(1, 3, 1))[0] == next(many.steps(1, 3, 1))[0][:2]).all()
        tensor(True)
    """

    def __init__(self, rng: torch.Generator, chains: int, example: Tensor):
        # One seed at a time: how a longer tensor is filled may depend on its length.
        seeds = [int(torch.randint(2**62, (), generator=rng, device=rng.device)) for _ in range(chains)]
        self.sources = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._example = example

    def split(self, first: int) -> tuple["Streams", "Streams"]:
        """The first sources, and the others."""
        left, right = copy.copy(self), copy.copy(self)
        left.sources, right.sources = self.sources[:first], self.sources[first:]
        return left, right

    def steps(self, count: int, normals: int, uniforms: int) -> Iterator[tuple[Tensor, Tensor]]:
        """For each of `count` steps, normal numbers (chains, normals) and uniform ones in [0, 1) (chains, uniforms)."""
        for first in range(0, count, _STEPS_AT_ONCE):
            steps = min(_STEPS_AT_ONCE, count - first)
            dtype = self._example.dtype
            normal = [torch.randn(steps, normals, generator=source, dtype=dtype) for source in self.sources]
            uniform = [torch.rand(steps, uniforms, generator=source, dtype=dtype) for source in self.sources]
            yield from zip(self._sides(normal), self._sides(uniform), strict=True)

    def _sides(self, chains: list[Tensor]) -> Tensor:
        return torch.stack(chains, 1).to(self._example.device)
