"""Laws that samples are drawn from: each is a function of a number of rows and a source of random numbers.

All give float32 rows, the precision that models are trained in.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

import tain
from tain import Constraint
from tain.randomness import standard_normal, uniform

__all__ = ["Draw", "axis_modes", "dirichlet", "mixture", "moons", "spiral", "truncated"]

Draw = Callable[[int, torch.Generator], Tensor]
"""Rows, (n, d), from their number and a source of random numbers."""

_EXAMPLE = torch.empty(())
_MOST_ROUNDS = 100


def axis_modes(size: int, distance: float, center: float = 0.0) -> Tensor:
    """The 2 d points at a distance from a centre along each axis, both ways: (2 d, d).

    >>> axis_modes(2, 0.5)
    tensor([[ 0.5000,  0.0000],
            [ 0.0000,  0.5000],
            [-0.5000,  0.0000],
            [ 0.0000, -0.5000]])
    """
    axes = distance * torch.eye(size)
    return center + torch.cat((axes, -axes))


def mixture(means: Tensor, deviation: float) -> Draw:
    """Normal distributions of one standard deviation around the rows of `means`, all equally likely."""

    def draw(n: int, rng: torch.Generator) -> Tensor:
        mode = torch.randint(len(means), (n,), generator=rng)
        return means[mode] + deviation * standard_normal((n, means.shape[1]), rng, _EXAMPLE)

    return draw


def moons(n: int, rng: torch.Generator) -> Tensor:
    """Two half circles that reach into each other, in the unit disc, with noise of 0.04."""
    angle = math.pi * uniform((n,), rng, _EXAMPLE)
    upper = uniform((n,), rng, _EXAMPLE) < 0.5
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.25, 0.25 - angle.sin())
    return 0.5 * torch.stack((x, y), 1) + 0.04 * standard_normal((n, 2), rng, _EXAMPLE)


def spiral(n: int, rng: torch.Generator) -> Tensor:
    """One and a half turns of Archimedes' spiral, from radius 0.1 to 0.9, with noise of 0.02."""
    turn = uniform((n,), rng, _EXAMPLE).sqrt()  # the root makes points about equally dense along the curve
    angle, radius = 3 * math.pi * turn, 0.1 + 0.8 * turn
    curve = torch.stack((radius * angle.cos(), radius * angle.sin()), 1)
    return curve + 0.02 * standard_normal((n, 2), rng, _EXAMPLE)


def dirichlet(concentration: Sequence[float]) -> Draw:
    """Shares with a Dirichlet law."""

    def draw(n: int, rng: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=rng))  # torch draws gamma numbers from its global state only
        shares = np.random.default_rng(seed).dirichlet(concentration, n)
        return torch.from_numpy(shares).float()

    return draw


def truncated(rule: Constraint, law: Draw) -> Draw:
    """A law restricted to the set of a rule: rows outside are drawn again.

    Raises:
        DataError: (when drawn from) hardly any row is inside.
    """

    def draw(n: int, rng: torch.Generator) -> Tensor:
        inside: list[Tensor] = []
        for _ in range(_MOST_ROUNDS):
            rows = law(max(n, 1), rng)
            inside.append(rows[rule.contains(rows, tolerance=0.0)])
            if sum(map(len, inside)) >= n:
                return torch.cat(inside)[:n]
        found = sum(map(len, inside))
        raise tain.DataError(
            f"Of {_MOST_ROUNDS * n} rows only {found} are in {rule}, of {n} wanted. Choose a law with more of its mass "
            "inside."
        )

    return draw
