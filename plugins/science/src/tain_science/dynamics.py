"""A rule of time from any solver: a function or a module that makes the next state of a state."""

import math
from collections.abc import Callable
from typing import Annotated, final

from torch import Tensor, nn

from tain import ConfigurationError, Field, ShapeError
from tain_science.evolving import Evolving, Layout
from tain_science.frozen import Frozen

__all__ = ["Dynamics"]


@final
class Dynamics(Evolving):
    """Each snapshot is `stepper` of the one before: of your solver, or of anybody's.

    It has no name in the catalogue, since no file can hold a function. For a rule that is to be saved, inherit
    `tain_science.Evolving` and provide that class through a plugin.

    Args:
        stepper: makes of states (B, C, *X) the next ones, differentiably, each row on its own. Of a module, a copy is
            kept, in evaluation mode and without gradients of its weights.
        layout: `rows` for samples (C, T, *X), `channels` for samples (T C, *X).
        channels: C, of one state.
        event_ndim: number of dimensions of a sample.
        scale: size of the numbers in a state; rounding errors of numbers as large are no breach of the rule.

    Raises:
        ConfigurationError: too few dimensions for the layout.

    Example:
        >>> import torch
        >>> from tain_science import Dynamics, Evolution
        >>> shift = Dynamics(lambda state: state.roll(1, -1))
        >>> Evolution(shift, snapshots=3).inverse(torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
        tensor([[[[1., 0., 0., 0.],
                  [0., 1., 0., 0.],
                  [0., 0., 1., 0.]]]])
    """

    def __init__(
        self,
        stepper: Annotated[Callable[[Tensor], Tensor], Field("makes the next state of a state")],
        layout: Annotated[Layout, Field("time down the image, or in the channels")] = "rows",
        channels: Annotated[int, Field("channels of one state", at_least=1)] = 1,
        event_ndim: Annotated[int, Field("number of dimensions of a sample", at_least=1)] = 3,
        scale: Annotated[float, Field("size of the numbers in a state", above=0, below=math.inf)] = 1.0,
    ):
        super().__init__()
        if layout == "rows" and event_ndim < 2:
            raise ConfigurationError(
                f"Dynamics: 'event_ndim' is {event_ndim}, but must be at least 2 for the layout 'rows', (C, T, ...)."
            )
        self.stepper = Frozen(stepper) if isinstance(stepper, nn.Module) else stepper
        self.layout, self.channels, self.event_ndim, self.scale = layout, channels, event_ndim, scale

    def advance(self, state: Tensor) -> Tensor:
        """What the stepper makes of each state: (B, C, *X) to (B, C, *X).

        Raises:
            ShapeError: the stepper returns another shape.
        """
        after = self.stepper(state)
        if after.shape != state.shape:
            raise ShapeError(
                f"Dynamics: 'stepper' makes {tuple(after.shape)} of states of shape {tuple(state.shape)}, but must "
                "keep the shape."
            )
        return after
