"""What the solvers of this package have in common with each other: many chains take their steps side by side."""

import abc

from torch import Tensor

__all__ = ["Walk"]


class Walk(abc.ABC):
    """The chains of one solver on one problem, C of them, each on its own.

    Attributes:
        x: where they are, (C, *S).
        normals: how many normal numbers a chain needs for a step.
        uniforms: how many uniform ones.
        step_size: a number, NaN where there is none.
        refused: how many proposals were refused because something there was not finite, (C,).
    """

    x: Tensor
    normals: int
    uniforms: int
    step_size: float
    refused: Tensor

    @abc.abstractmethod
    def step(self, normal: Tensor, uniform: Tensor) -> Tensor:
        """One step of each chain, from numbers (C, normals), (C, uniforms); how likely it was accepted, (C,)."""

    def adapt(self, acceptance: Tensor, left: int) -> None:  # noqa: B027 (most walks have nothing to learn)
        """Learn from a step that was accepted with these probabilities, (C,); `left` more are to come."""

    def tune(self, pilots: "Walk") -> None:  # noqa: B027 (nor to take over)
        """Take over what other chains have learnt."""
