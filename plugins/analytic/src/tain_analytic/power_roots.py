"""Inverse functions of the barriers with a power, which have no closed form: a few steps of Newton's method.

Each equation is put in an unknown r >= 1 in which its left side is concave and increasing, and the start is left of the
root. Newton's method then climbs to the root without overshooting, from any right side, and every entry is on its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ball_root", "half_line_root", "interval_root"]

STEPS = 8
"""More than any right side needs, for powers from 0.1 to 1, in float64: at most 7 were counted."""


def half_line_root(z: Tensor, power: float) -> Tensor:
    """The r >= 1 with r - r^-power = z, for z >= 0 and a power above 0, entry by entry."""

    def step(r: Tensor) -> Tensor:
        fading = r**-power
        return (r - (r - fading - z) / (1 + power * fading / r)).clamp(min=1)

    return _climb(step, z.detach().clamp(min=1))


def interval_root(z: Tensor, power: float) -> Tensor:
    """The r = t^-power >= 1 with t^-power - (2 - t)^-power = z, for z >= 0 and a power in (0, 1], entry by entry.

    t, from 0 to 1, is how near a point of [-1, 1] is to the end that it is nearer to.
    """

    def step(r: Tensor) -> Tensor:
        t = r ** (-1 / power)
        far = (2 - t) ** -power
        return (r - (r - far - z) / (1 + far / (2 - t) * t / r)).clamp(min=1)

    return _climb(step, (z.detach() + 2**-power).clamp(min=1))


def ball_root(z: Tensor, power: float) -> Tensor:
    """The r = (1 - u^2)^-power >= 1 with u (1 - u^2)^-power = z, for z >= 0 and a power in (0, 1], entry by entry.

    u = z / r, from 0 to 1, is the distance of a point of the unit ball to the centre.
    """
    # With w = r^2, w - w^e = z^2. For z beyond `far`, r is z to the last digit, and the square would overflow.
    e = 1 - 1 / (2 * power)
    far = 1 / torch.finfo(z.dtype).eps
    square = z.clamp(max=far) ** 2

    def step(w: Tensor) -> Tensor:
        fading = w**e
        return (w - (w - fading - square) / (1 - e * fading / w)).clamp(min=1)

    # For powers above 1/2 the left side is convex, and the start, the root of its tangent at 1, right of the root.
    start = 1 + square.detach() / (1 - e) if e > 0 else square.detach().clamp(min=1)
    return torch.where(z < far, _climb(step, start).sqrt(), z)


def _climb(step: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Newton's steps from `start`. The last two are differentiated, and give the root's first two derivatives exactly.

    (One step from a root that is a constant has the derivative of the implicit function theorem; two, the second.)
    """
    with torch.no_grad():
        for _ in range(STEPS - 2):
            start = step(start)
    return step(step(start))
