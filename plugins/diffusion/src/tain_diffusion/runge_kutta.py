"""Explicit Runge-Kutta methods with given steps, for a state of several tensors.

Steps are fixed, since adaptive methods choose theirs by one norm over the batch, which would make the result of a row
depend on the others.

Source: Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, section II.1,
https://doi.org/10.1007/978-3-540-78862-1
"""

import itertools
from collections.abc import Callable
from typing import Literal

import attrs
from torch import Tensor

__all__ = ["METHODS", "MethodName", "State", "integrate"]

MethodName = Literal["euler", "midpoint", "heun", "runge-kutta-4"]
State = tuple[Tensor, ...]


@attrs.frozen
class Method:
    """The coefficients of a method.

    Attributes:
        stages: for each stage but the first, its place within the step and its weights of the slopes so far.
        weights: of all slopes in the step.
    """

    stages: tuple[tuple[float, tuple[float, ...]], ...]
    weights: tuple[float, ...]

    @property
    def evaluations(self) -> int:
        """Slopes a step."""
        return len(self.weights)


METHODS: dict[MethodName, Method] = {
    "euler": Method((), (1,)),
    "midpoint": Method(((1 / 2, (1 / 2,)),), (0, 1)),
    "heun": Method(((1, (1,)),), (1 / 2, 1 / 2)),
    "runge-kutta-4": Method(
        ((1 / 2, (1 / 2,)), (1 / 2, (0, 1 / 2)), (1, (0, 0, 1))),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
}


def integrate(slope: Callable[[Tensor, State], State], state: State, grid: Tensor, method: MethodName) -> State:
    """Solve d state / ds = slope(s, state) from the first to the last value of a grid, one step from each to the next.

    Args:
        slope: takes one s and the state, gives the change of each of its tensors.
        state: at the first value of s.
        grid: (steps + 1,), rising or falling.
        method: see `METHODS`.

    Example:
        >>> import torch
        >>> (end,) = integrate(lambda s, state: state, (torch.ones(1),), torch.linspace(0, 1, 11), "runge-kutta-4")
        >>> end
        tensor([2.7183])
    """
    chosen = METHODS[method]
    for s, s_next in itertools.pairwise(grid):
        step = s_next - s
        slopes = [slope(s, state)]
        for place, weights in chosen.stages:
            slopes.append(slope(s + place * step, _moved(state, step, weights, slopes)))
        state = _moved(state, step, chosen.weights, slopes)
    return state


def _moved(state: State, step: Tensor, weights: tuple[float, ...], slopes: list[State]) -> State:
    used = [(step * weight, slope) for weight, slope in zip(weights, slopes, strict=True) if weight]
    return tuple(
        value + sum(factor * slope[index] for factor, slope in used)  # starts at 0, an int, which adds nothing
        for index, value in enumerate(state)
    )
