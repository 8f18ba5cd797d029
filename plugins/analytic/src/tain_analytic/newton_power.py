"""The points where a barrier with a power has given slopes, for many slopes at once, by Newton's method.

In the coordinates of `newton`, with the slacks sigma = 1 - E u > 0, factors a > 0 and a power p below 1, `solve_power`
finds the u with

    E' (a / sigma^p) = eta

which is where the convex function -sum of a sigma^(1 - p) / (1 - p) - <eta, u> is least. Steps keep 1% of each slack at
least, and are halved while they overshoot; each row takes its own and is set aside once it is solved. Slacks are kept
beside u, since 1 - E u has few digits left of a small one.

Source: Convex Optimization (section 9.5, Newton's method), https://doi.org/10.1017/CBO9780511804441
"""

import torch
from torch import Tensor

from tain.errors import TainError
from tain_analytic.weighted import Weighted, rows_at_once

__all__ = ["longest_slope", "solve_power"]

LEAST_SLACK = 1e-9  # of that at the centre
MOST_STEPS = 200  # 10 to 40 are usual
SOLVED = 1e-13  # the error of the equation, relative to the largest term of its sum, that is rounding alone
ALMOST = 1e-7  # the relative change of slacks from which one more step gives all digits that there are
REACH = 0.99  # of the way to the boundary, at most


def longest_slope(a: Tensor, power: float) -> float:
    """The longest eta that is solved: beyond it, slacks would be below 1e-9."""
    return LEAST_SLACK**-power * float(a.max())


@torch.no_grad()
def solve_power(E: Tensor, a: Tensor, eta: Tensor, power: float) -> tuple[Tensor, Tensor, Tensor]:
    """The points with slopes eta: (B, d) to u (B, d), sigma (B, m), and the number of steps of each row (B,).

    Raises:
        TainError: rows that are not solved after 200 steps.
    """
    count = rows_at_once(E)
    parts = [_solve(E, a, part, power, first * count) for first, part in enumerate(eta.split(count))]
    u, sigma, steps = (torch.cat(part) for part in zip(*parts, strict=True))
    return u, sigma, steps


def _solve(E: Tensor, a: Tensor, eta: Tensor, power: float, first: int) -> tuple[Tensor, Tensor, Tensor]:
    u, sigma = torch.zeros_like(eta), eta.new_ones(len(eta), len(E))
    solved = [torch.empty_like(z) for z in (u, sigma)]
    steps = torch.zeros(len(eta), dtype=torch.long, device=eta.device)
    rows = torch.arange(len(eta), device=eta.device)
    almost = torch.zeros_like(rows, dtype=torch.bool)
    for step in range(MOST_STEPS):
        if not len(rows):
            return solved[0], solved[1], steps
        gradient = (a / sigma**power) @ E - eta
        _, du = Weighted(E, sigma ** (1 + power) / (power * a)).solve(-gradient)
        dsigma = -du @ E.mT
        change = (dsigma / sigma).abs().amax(1)
        length = _length(E, a, eta, power, sigma, du, dsigma)
        u, sigma = u + length * du, sigma + length * dsigma
        error = ((a / sigma**power) @ E - eta).abs().amax(1) / (a / sigma**power).amax(1)
        done = (error < SOLVED) | (almost & (change < 10 * ALMOST))  # that step was the one more
        if bool(done.any()):
            for result, value in zip(solved, (u, sigma), strict=True):
                result[rows[done]] = value[done]
            steps[rows[done]] = step + 1
            left = ~done
            rows, change, eta, u, sigma = (z[left] for z in (rows, change, eta, u, sigma))
        almost = change < ALMOST
    if not len(rows):
        return solved[0], solved[1], steps
    named = ", ".join(str(first + int(row)) for row in rows[:5])
    raise TainError(
        f"PolytopeBarrier.inverse: {len(rows)} rows have no solution after {MOST_STEPS} steps: {named}. Please report "
        "them with the polytope."
    )


def _length(E: Tensor, a: Tensor, eta: Tensor, power: float, sigma: Tensor, du: Tensor, dsigma: Tensor) -> Tensor:
    """The share of a step, (B, 1), that stays inside and does not overshoot: after which the slope along it is gone."""
    speed = (-dsigma / sigma).amax(1, keepdim=True)
    length = torch.where(speed > REACH, REACH / speed, 1.0)
    along = (eta * du).sum(1, keepdim=True)

    def slope(share: Tensor) -> Tensor:
        return -(a / (sigma + share * dsigma) ** power * dsigma).sum(1, keepdim=True) - along

    start = slope(torch.zeros_like(length)).abs()
    for _ in range(50):
        over = slope(length) > 0.3 * start
        if not bool(over.any()):
            break
        length = torch.where(over, length / 2, length)
    return length
