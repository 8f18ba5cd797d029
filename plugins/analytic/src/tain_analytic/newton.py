"""The points where a log barrier has given slopes, for many slopes at once, by a primal-dual Newton method.

A bounded polytope is {u : E u <= 1} in the coordinates in which its analytic centre is 0 and the barrier's Hessian
there the identity: E' 1 = 0 and E' E = 1. Given eta, `solve` finds the u with E' (1 / sigma) = eta, where
sigma = 1 - E u > 0 are the slacks. With multipliers nu and the number mu = 1 / max(1, |eta|), these are the equations

    E' nu = mu eta      sigma + E u = 1      sigma nu = mu      sigma, nu > 0

of the central path of a linear program. The first two hold from the start, so Newton steps for all three only move
along them; the third is reached in 5 to 8 steps for points well inside, and in at most 20 where |eta| is 1e12 and
slacks are 1e-12. Slacks and multipliers are kept beside u, since 1 - E u has no digits left of a slack that small.

Sources:
    On the Implementation of a Primal-Dual Interior Point Method (Mehrotra), https://doi.org/10.1137/0802028
    Primal-Dual Interior-Point Methods (Wright), https://doi.org/10.1137/1.9781611971453
"""

import torch
from torch import Tensor

from tain.errors import TainError
from tain_analytic.numerics import norm
from tain_analytic.weighted import Weighted, rows_at_once

__all__ = ["LONGEST", "solve"]

LONGEST = 1e12  # the longest eta: slacks are then about 1e-12, and rounding of eta moves u by 1e-4 along its facet
MOST_STEPS = 60  # 5 to 8 are usual, and no case is known with more than 20
ALMOST = 1e-6  # the relative error of sigma nu = mu from which one more step gives all digits that there are
SOLVED = 1e-9  # the error that is accepted after that step
REACH = 1 - 1e-6  # of the way to the boundary, at most: a slack shrinks to 1e-6 of itself without losing its digits


@torch.no_grad()
def solve(E: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The points with slopes eta: (B, d) to u (B, d), sigma (B, m), and the number of steps of each row (B,).

    Each row takes its own steps and is set aside once it is solved.

    Raises:
        TainError: rows that are not solved after 60 steps.
    """
    count = rows_at_once(E)
    parts = [_solve(E, part, first * count) for first, part in enumerate(eta.split(count))]
    u, sigma, steps = (torch.cat(part) for part in zip(*parts, strict=True))
    return u, sigma, steps


def _solve(E: Tensor, eta: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
    mu = 1 / norm(eta).clamp(min=1)
    aim = eta * mu
    slope = aim @ E.mT
    # The start keeps E' nu = aim, since E' 1 = 0 and E' E = 1, and sigma nu between half of and 1.5 times `middle`.
    middle = torch.maximum(mu, 2 * slope.abs().amax(1, keepdim=True))
    u, sigma, nu = torch.zeros_like(eta), torch.ones_like(slope), middle + slope
    solved = [torch.empty_like(z) for z in (u, sigma)]
    steps = torch.zeros(len(eta), dtype=torch.long, device=eta.device)
    rows = torch.arange(len(eta), device=eta.device)
    almost = torch.zeros_like(rows, dtype=torch.bool)
    for step in range(MOST_STEPS + 1):
        error = (sigma * nu / mu - 1).abs().amax(1)
        done = (error < SOLVED) & (almost | (error == 0))
        if bool(done.any()):
            for result, value in zip(solved, (u, sigma), strict=True):
                result[rows[done]] = value[done]
            steps[rows[done]] = step
            left = ~done
            rows, error, mu, aim, u, sigma, nu = (z[left] for z in (rows, error, mu, aim, u, sigma, nu))
        if not len(rows):
            return solved[0], solved[1], steps
        almost = error < ALMOST
        u, sigma, nu = _step(E, aim, mu, u, sigma, nu)
    named = ", ".join(str(first + int(row)) for row in rows[:5])
    raise TainError(
        f"PolytopeBarrier.inverse: {len(rows)} rows have no solution after {MOST_STEPS} steps: {named}. Please report "
        "them with the polytope."
    )


def _step(E: Tensor, aim: Tensor, mu: Tensor, u: Tensor, sigma: Tensor, nu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One predictor-corrector step of every row."""
    matrix = Weighted(E, mu * sigma / nu)
    miss = aim - nu @ E
    # Where |eta| is 1e11 or more, to mend mere rounding would move u along its facet, far and at random.
    miss = torch.where((norm(miss) < 1e-3 * mu) | (norm(miss) > 1e-10), miss, 0)

    def direction(change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The du, dsigma and dnu that change sigma nu, to first order, by `change`."""
        t, du = matrix.solve(miss / mu, change / nu)
        dsigma = -du @ E.mT
        dnu = (change - nu * dsigma) / sigma
        if len(matrix.hard):  # a tiny slack has few digits in dsigma, but its multiplier is large and has all in t
            sharp = t.abs().amax(1, keepdim=True) * matrix.q < du.abs().amax(1, keepdim=True)
            sharp = sharp & torch.zeros_like(mu, dtype=torch.bool).index_fill(0, matrix.hard, True)
            dnu = torch.where(sharp, mu * t, dnu)
            dsigma = torch.where(sharp, (change - sigma * dnu) / nu, dsigma)
            dnu = torch.where(sharp, dnu, (change - nu * dsigma) / sigma)
        return du, dsigma, dnu

    # Predictor: all the way to sigma nu = mu. How far it gets tells how far to aim.
    mean = (sigma * nu).mean(1, keepdim=True)
    du, dsigma, dnu = direction(mu - sigma * nu)
    primal, dual = _length(sigma, dsigma), _length(nu, dnu)
    after = ((sigma + primal * dsigma) * (nu + dual * dnu)).mean(1, keepdim=True)
    target = torch.maximum(mu, mean * (after / mean) ** 3)
    lame = (sigma * nu).amin(1, keepdim=True) < 1e-2 * mean  # a product far behind the others blocks all steps: wait
    target = torch.where(lame & (mean > mu), mean, target)
    # Corrector: aims there, and includes the product of the changes, which the predictor leaves out.
    cu, csigma, cnu = direction(target - sigma * nu - torch.where(lame, 0, primal * dual * dsigma * dnu))
    reach = (1 - 0.1 * target / mean).clamp(0.95, REACH)
    primal, dual = _length(sigma, csigma, reach), _length(nu, cnu, reach)
    best = (u + primal * cu, sigma + primal * csigma, nu + dual * cnu)
    # Near the end the corrector may overshoot for ever. The predictor's direction always descends in `_merit`.
    near = mean < 100 * mu
    if bool(near.any()):
        length = torch.minimum(_length(sigma, dsigma, 0.99), _length(nu, dnu, 0.99))
        for share in (1.0, 0.5):
            other = (u + share * length * du, sigma + share * length * dsigma, nu + share * length * dnu)
            better = near & (_merit(other, mu) < _merit(best, mu))
            best = (
                torch.where(better, other[0], best[0]),
                torch.where(better, other[1], best[1]),
                torch.where(better, other[2], best[2]),
            )
    return best


def _length(z: Tensor, dz: Tensor, reach: Tensor | float = 1.0) -> Tensor:
    """The largest step, at most 1, after which z + step dz has gone at most `reach` of its way to zero: (B, 1)."""
    speed = (-dz / z).amax(1, keepdim=True)
    return torch.where(speed > reach, reach / speed, 1.0)


def _merit(point: tuple[Tensor, Tensor, Tensor], mu: Tensor) -> Tensor:
    """The sum of r - log r - 1 with r = sigma nu / mu, at least 0, and 0 at the solution: (B, 1)."""
    ratio = point[1] * point[2] / mu
    return (ratio - 1 - ratio.log()).sum(1, keepdim=True)
