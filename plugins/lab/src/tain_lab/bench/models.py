"""The models that benches train: one recipe for every case, whatever the generator."""

import time
from collections.abc import Mapping
from typing import Any

import attrs
from torch import Tensor

import tain
from tain import Generator
from tain_lab.bench.record import BenchSettings
from tain_lab.settings import Settings
from tain_lab.training import fit

__all__ = ["TRAINING", "Trained", "build", "trained"]

TRAINING_ROWS = 100_000
"""Rows that each model is trained on: enough that none of them is learned by heart."""

TRAINING = Settings(batch=256, learning_rate=1e-3)
"""Settings of the training, but for the number of steps."""

_OPTIONS: Mapping[str, Any] = {"width": 128, "blocks": 3, "evaluations": 20}
"""Options of the generator, of those that it knows: about 220,000 weights for a residual MLP."""


@attrs.frozen
class Trained:
    """A trained model.

    Attributes:
        model: in evaluation mode.
        seconds: of processor time that its training took, which other work on the machine does not change.
        steps_a_second: of the training, in that time.
    """

    model: Generator
    seconds: float
    steps_a_second: float


def build(name: str, event_shape: tuple[int, ...], seed: int, **options: Any) -> Generator:
    """A generator of the catalogue, with the options of the benches, changed by `options`, of those that it knows."""
    known = {parameter.name for parameter in tain.parameters(tain.find("generator", name).target)}
    values = {key: value for key, value in {**_OPTIONS, "seed": seed, **options}.items() if key in known}
    made: Generator = tain.create("generator", name, event_shape=event_shape, **values)
    return made


def trained(model: Generator, data: Tensor, settings: BenchSettings, label: str) -> Trained:
    """The model, trained on rows (N, d)."""
    started = time.process_time()
    fit(model, data, attrs.evolve(TRAINING, steps=settings.steps), seed=settings.seed, label=label)
    seconds = time.process_time() - started
    return Trained(model, seconds, settings.steps / seconds)
