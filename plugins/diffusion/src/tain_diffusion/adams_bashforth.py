"""The multistep method of Adams and Bashforth, of second order, with steps of any length.

It asks for one slope a step, and remembers the one before.

Source: Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, section III.5,
https://doi.org/10.1007/978-3-540-78862-1
"""

import itertools
from collections.abc import Callable

from torch import Tensor

__all__ = ["adams_bashforth"]


def adams_bashforth(slope: Callable[[Tensor, Tensor], Tensor], z: Tensor, grid: Tensor) -> Tensor:
    """Solve dz/ds = slope(z, s) from the first to the last value of a grid, one slope for each step.

    Args:
        slope: at z, any shape, and one s.
        z: at the first value of s.
        grid: (steps + 1,), rising or falling strictly.

    Example:
        >>> import torch
        >>> adams_bashforth(lambda z, s: z, torch.ones(1), torch.linspace(0, 1, 101))
        tensor([2.7180])
    """
    before: tuple[Tensor, Tensor] | None = None  # the step before, and the slope it began with
    for s, s_next in itertools.pairwise(grid):
        step, current = s_next - s, slope(z, s)
        if before is None:
            z = z + step.to(z) * current
        else:
            ratio = step / (2 * before[0])  # the integral of the line through both slopes (equation 5.3 with 5.10)
            z = z + (step * (1 + ratio)).to(z) * current - (step * ratio).to(z) * before[1]
        before = step, current
    return z
