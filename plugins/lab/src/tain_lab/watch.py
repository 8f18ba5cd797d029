"""A watch over training: what each step reports is looked at a few steps at once, so that no step waits for it."""

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from tain.errors import TrainingError

__all__ = ["Watch"]


@final
class Watch:
    """The losses and gradient norms of the latest steps, on the device where they were computed.

    Every process must look at the same steps: all of them find a bad number, or none does.

    Args:
        mean: gives the mean of a tensor over the processes.
    """

    def __init__(self, mean: Callable[[Tensor], Tensor]) -> None:
        self._mean = mean
        self._figures: list[Tensor] = []

    def note(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Keep what a step reports, without waiting for it: two numbers, shape () each."""
        self._figures.append(torch.stack((loss.detach(), gradient_norm.detach())))

    def look(self, step: int) -> list[float]:
        """The losses of the steps since the last look, mean over the processes; `step` steps are done.

        Raises:
            TrainingError: a loss or a gradient is no finite number; the message names the first such step.
        """
        figures = self._mean(torch.stack(self._figures)).tolist()
        first = step - len(figures) + 1
        self._figures.clear()
        for number, (loss, norm) in enumerate(figures, start=first):
            for name, value in (("loss", loss), ("gradient", norm)):
                if not math.isfinite(value):
                    raise TrainingError(
                        f"Training: the {name} is {value} at step {number}. Look for extreme values in the data, or "
                        "lower [training] learning_rate."
                    )
        return [loss for loss, _ in figures]
