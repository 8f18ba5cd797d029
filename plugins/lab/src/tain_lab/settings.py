"""How to train: the settings of `fit`, and of the table [training] of an experiment."""

import math
from typing import Annotated, Literal

import attrs

from tain import Field
from tain.errors import ConfigurationError

__all__ = ["Settings"]


@attrs.frozen
class Settings:
    """How to train. The learning rate rises over the warm-up, then falls to zero along half a cosine.

    The trained model gets a moving average of the weights, which forgets the random start quickly: its decay at step
    k is the smaller of `average` and (1 + k) / (10 + k).

    `compile` and `precision` trade exactness for speed: results may then differ in rounding. Weights, their average
    and the memory of the optimiser stay in the precision of the model.
    """

    steps: Annotated[int, Field("number of optimiser steps", at_least=1)] = 3000
    batch: Annotated[int, Field("samples a step, over all processes", at_least=1)] = 256
    learning_rate: Annotated[float, Field("of AdamW, after the warm-up", above=0, below=math.inf)] = 1e-3
    warmup: Annotated[int, Field("steps over which the learning rate rises", at_least=0)] = 100
    average: Annotated[float, Field("decay of the moving average of the weights", at_least=0, below=1)] = 0.999
    clip: Annotated[float, Field("largest norm of the gradient; longer ones are shortened", above=0)] = 1.0
    checkpoint_every: Annotated[int, Field("steps between two checkpoints", at_least=1)] = 500
    compile: Annotated[bool, Field("whether to compile the training step, if a compiler is there")] = False
    precision: Annotated[
        Literal["float32", "bfloat16"], Field("of products of matrices: bfloat16 needs a processor that has it")
    ] = "float32"

    def require_rows(self, rows: int) -> None:
        """Refuse to train on fewer rows than there are in a batch.

        Raises:
            ConfigurationError: there are fewer.
        """
        if self.batch > rows:
            raise ConfigurationError(
                f"[training] batch is {self.batch}, but must be at most the number of rows to train on, {rows}. Give a "
                "smaller one, or more data."
            )

    def rate(self, step: int) -> float:
        """The learning rate of a step, the first being 0."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def decay(self, step: int) -> float:
        """The decay of the average at a step, the first being 0."""
        return min(self.average, (1 + step) / (10 + step))
