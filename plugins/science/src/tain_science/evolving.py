"""Rules of time: each snapshot of a sample is what a solver makes of the one before."""

import abc
from typing import Literal

import torch
from torch import Tensor

from tain import Residual, ShapeError

__all__ = ["Evolving", "Layout"]

Layout = Literal["rows", "channels"]


class Evolving(Residual, abc.ABC):
    """Capability: a sample is a row of snapshots, each `advance` of the one before.

    Inherit, and write `advance`: any solver will do, so long as gradients pass through it and no row of its batch looks
    at another. The distance is the mean over all snapshots but the first of |snapshot - advance(snapshot before)|.

    Attributes:
        layout: `rows` if a sample is (C, T, *X), with time down the image; `channels` if it is (T C, *X), with the
            C channels of each snapshot side by side.
        channels: C, of one snapshot.
        event_ndim: number of dimensions of a sample, 3 if not set.

    Example:
        >>> import torch
        >>> class Decay(Evolving):
        ...     def advance(self, state):
        ...         return state / 2
        >>> Decay().distance(torch.tensor([[[[4.0], [2.0], [1.0]]], [[[4.0], [2.0], [2.0]]]]))
        tensor([0.0000, 0.5000])
    """

    event_ndim = 3
    layout: Layout = "rows"
    channels: int = 1

    @abc.abstractmethod
    def advance(self, state: Tensor) -> Tensor:
        """The next snapshot of each: (B, C, *X) to (B, C, *X)."""

    def distance(self, x: Tensor) -> Tensor:
        """The mean size of the residual: (B, *S) to (B,)."""
        return self.residual(x).abs().mean(1)

    def residual(self, x: Tensor) -> Tensor:
        """What each snapshot but the first differs by from what follows from the one before: (B, *S) to (B, K).

        Raises:
            ShapeError: a sample has less than two snapshots, or its channels are no whole number of them.
        """
        states = self.states(x)
        before = states[:, :-1]
        return (states[:, 1:] - self.advance(before.flatten(0, 1)).reshape(before.shape)).flatten(1)

    def states(self, x: Tensor) -> Tensor:
        """The snapshots: (B, *S) to (B, T, C, *X)."""
        self.require_shape(x)
        count = self.snapshots(tuple(x.shape[1:]))
        return x.transpose(1, 2) if self.layout == "rows" else x.unflatten(1, (count, self.channels))

    def snapshots(self, event_shape: tuple[int, ...]) -> int:
        """T, of samples of a shape.

        Raises:
            ShapeError: less than two snapshots, or channels that are no whole number of them.
        """
        if len(event_shape) != self.event_ndim:
            raise ShapeError(
                f"{type(self).__name__}: samples have shape {event_shape}, but must have {self.event_ndim} dimensions."
            )
        if self.layout == "rows":
            wanted, fits, count = f"({self.channels}, T, ...)", event_shape[0] == self.channels, event_shape[1]
        else:
            count, left = divmod(event_shape[0], self.channels)
            wanted, fits = f"(T {self.channels}, ...)", left == 0
        if not fits or count < 2:
            raise ShapeError(
                f"{type(self).__name__}: samples have shape {event_shape}, but must have {wanted}, T at least 2."
            )
        return count

    def trajectory(self, states: Tensor) -> Tensor:
        """Snapshots as samples: (B, T, C, *X) to (B, *S)."""
        return states.transpose(1, 2) if self.layout == "rows" else states.flatten(1, 2)

    def evolved(self, state: Tensor, snapshots: int) -> Tensor:
        """The samples that start at a state: (B, C, *X) to (B, *S), with `snapshots` snapshots, the first included."""
        states = [state]
        for _ in range(snapshots - 1):
            states.append(self.advance(states[-1]))
        return self.trajectory(torch.stack(states, 1))
