"""How long a training step takes, measured before any training, so that what is compared can be given equal time."""

import time
from collections.abc import Callable, Mapping
from itertools import pairwise

import attrs
import torch

__all__ = ["Stage", "Training", "paces_of", "steps_within"]

Training = Callable[[int, Callable[[int], None]], object]
"""Takes a number of steps, and what is to be called after each of them."""

_ROUNDS = 3
_FIRST = 2  # steps of a round that are not timed: they fill caches, and may compile
_TIMED = 3


@attrs.frozen
class Stage:
    """A training of a run.

    Attributes:
        name: of the stage.
        steps: that it takes.
        pace: seconds a step, as measured by `paces_of` before any stage was trained.
    """

    name: str
    steps: int
    pace: float


def paces_of(trainings: Mapping[str, Training]) -> dict[str, float]:
    """Seconds of one step of each training: the quickest of nine, since other work on the machine only adds.

    The trainings take turns, so that none of them has a quieter machine than the others. Without an accelerator it is
    the time of the processor that is taken, which waiting for it does not add to.

    Args:
        trainings: by name. Each takes a number of steps, and what is to be called after each step, and trains a copy
            that is thrown away.
    """
    clock = time.perf_counter if torch.accelerator.is_available() else time.process_time
    quickest = dict.fromkeys(trainings, float("inf"))
    for _ in range(_ROUNDS):
        for name, train in trainings.items():
            times = _times(train, clock)
            taken = (later - earlier for earlier, later in pairwise(times[_FIRST - 1 :]))
            quickest[name] = min(quickest[name], *taken)
    return quickest


def _times(train: Training, clock: Callable[[], float]) -> list[float]:
    """When each of a few steps was done."""
    times: list[float] = []
    train(_FIRST + _TIMED, lambda _: times.append(clock()))
    return times


def steps_within(stages: list[Stage], pace: float) -> int:
    """The steps of a training with this pace that take at least as long as all stages together.

    >>> steps_within([Stage("map", 100, 0.5), Stage("generator", 10, 0.25)], pace=0.2)
    263
    """
    seconds = sum(stage.steps * stage.pace for stage in stages)
    return max(1, -int(-seconds // pace))
