"""What the solvers of this package have in common with each other: many chains take their steps side by side."""

import abc

from torch import Tensor

__all__ = ["Walk", "per_row"]


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

    def adapt(self, acceptance: Tensor, left: int) -> None:  # noqa: B027  # most chains have nothing to learn
        """Learn from a step that was accepted with these probabilities, (C,); `left` more are to come."""

    def tune(self, pilots: "Walk") -> None:  # noqa: B027
        """Take over what other chains have learnt."""


def per_row(factor: Tensor, x: Tensor) -> Tensor:
    """Numbers (C,), shaped to be multiplied with x (C, *S).

    >>> import torch
    >>> per_row(torch.ones(3), torch.zeros(3, 2, 2)).shape
    torch.Size([3, 1, 1])
    """
    return factor.reshape(-1, *[1] * (x.ndim - 1))
