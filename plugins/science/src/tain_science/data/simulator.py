"""The base of the simulators: rows that are independent of each other, made a few at a time."""

import abc
from collections.abc import Sequence
from typing import ClassVar, final

import torch
from torch import Tensor

from tain import Configured, Constraint
from tain.errors import ConfigurationError
from tain_science.data.streams import row_streams, seed_of

__all__ = ["Simulator"]


class Simulator(Configured, abc.ABC):
    """Data that obey a rule, made from a seed.

    Attributes:
        event_shape: channels, height and width of one row.
        rows_at_once: how many rows are computed together, which bounds the memory and changes no number.
    """

    event_shape: tuple[int, int, int]
    rows_at_once: ClassVar[int] = 64

    @property
    @abc.abstractmethod
    def constraint(self) -> Constraint:
        """The rule that the rows obey."""

    @abc.abstractmethod
    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        """One row from each source of random numbers: (len(streams), *event_shape), float64 or float32.

        A row may use nothing but its own source.
        """

    @final
    @torch.no_grad()
    def simulate(self, n: int, *, rng: torch.Generator | int | None = None, first: int = 0) -> Tensor:
        """`n` rows, (n, *event_shape), float32.

        Args:
            n: number of rows, at least 1.
            rng: with an integer, row i is the same whatever `n` and `first`; a generator gives one such integer.
            first: index of the first row, so that rows can be made in several parts.

        Raises:
            ConfigurationError: `n` or `first` is too small.
        """
        name = type(self).__name__
        if n < 1:
            raise ConfigurationError(f"{name}.simulate: n is {n}, but must be at least 1.")
        if first < 0:
            raise ConfigurationError(f"{name}.simulate: first is {first}, but must be at least 0.")
        seed = seed_of(rng)
        rows = torch.empty(n, *self.event_shape)
        for start in range(0, n, self.rows_at_once):
            stop = min(start + self.rows_at_once, n)
            rows[start:stop] = self.draw(row_streams(seed, range(first + start, first + stop)))
        return rows
