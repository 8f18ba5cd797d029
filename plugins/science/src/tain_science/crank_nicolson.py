"""Burgers' equation stepped by the Crank-Nicolson method, its equations truly solved.

    u_t = -u u_x + nu u_xx,  periodic in x
    (v - u) / step = (f(u) + f(v)) / 2,  f(u)_i = -(F_i+1/2 - F_i-1/2) / dx + nu (u_i+1 - 2 u_i + u_i-1) / dx^2
    F_i+1/2 = (u_i^2 + u_i u_i+1 + u_i+1^2) / 6

f is a central difference of second order. In this form of the flux, what flows out of one cell flows into the next, so
the sum of u is kept; and the flow alone creates no energy, <u, f(u)> <= 0, from which it follows that v exists for
every u and every step.

Sources:
    Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816 (appendix F)
    Entropy stability theory for difference approximations of nonlinear conservation laws and related time-dependent
    problems, https://doi.org/10.1017/S0962492902000156 (the flux)
"""

import math
from typing import Any

import torch
from torch import Tensor

from tain import ConfigurationError
from tain_science.cyclic_tridiagonal import Bands, solve, times, transposed

__all__ = ["crank_nicolson", "rate"]

MOST_ITERATIONS = 50
"""Of Newton's method, which takes three or four; more where a wave crosses many cells in one step."""

MOST_HALVINGS = 8


def crank_nicolson(u: Tensor, viscosity: float, spacing: float, step: float, steps: int) -> Tensor:
    """`steps` steps of Burgers' equation: states (..., X) to (..., X), each row on its own.

    Each step is solved by Newton's method until it moves a row by less than 1% of the square root of the rounding
    error, relative to the row's largest entry. As its error squares itself, the equations then hold up to rounding.
    Half precision is stepped in float32. Derivatives are those of the solution, by the implicit function theorem, not
    of the iteration, and may be taken any number of times, forwards too.

    Args:
        u: states at X points, at least 3, a row in the last dimension.
        viscosity: nu, at least 0.
        spacing: dx between neighbouring points, above 0.
        step: of time, above 0.
        steps: how many, at least 0.

    Returns:
        The states after these steps. A row is NaN if it was not finite, or if its waves cross so many cells a step that
        Newton's method finds no solution.

    Raises:
        ConfigurationError: fewer than 3 points, or a number beyond its limit.

    Example:
        >>> import torch
        >>> u = torch.tensor([[0.0, 1.0, 0.0, -1.0]])
        >>> crank_nicolson(u, viscosity=0.5, spacing=1.0, step=0.1, steps=1)
        tensor([[ 0.0000,  0.9048,  0.0000, -0.9048]])
    """
    if u.shape[-1] < 3:
        raise ConfigurationError(f"crank_nicolson: states have {u.shape[-1]} points, but must have at least 3.")
    for name, value, fits in (
        ("viscosity", viscosity, viscosity >= 0),
        ("spacing", spacing, spacing > 0),
        ("step", step, step > 0),
        ("steps", steps, steps >= 0),
    ):
        if not (fits and math.isfinite(value)):
            limit = "above 0" if name in ("spacing", "step") else "at least 0"
            raise ConfigurationError(f"crank_nicolson: '{name}' is {value}, but must be {limit} and finite.")
    working = u.float() if u.dtype in (torch.float16, torch.bfloat16) else u
    for _ in range(steps):
        working = _Step.apply(working, viscosity, spacing, step)
    return working.to(u.dtype)


def rate(u: Tensor, viscosity: float, spacing: float) -> Tensor:
    """f(u), how fast each state changes: (..., X) to (..., X)."""
    ahead = u.roll(-1, -1)
    flux = (u.square() + u * ahead + ahead.square()) / 6
    slope = (ahead - u) * (viscosity / spacing)
    passing = slope - flux
    return (passing - passing.roll(1, -1)) / spacing


def _rate_slope(u: Tensor, viscosity: float, spacing: float, factor: float, constant: float) -> Bands:
    """The matrix constant + factor f'(u)."""
    behind, ahead = u.roll(1, -1), u.roll(-1, -1)
    flow, spread = factor / (6 * spacing), factor * viscosity / spacing**2
    lower = (2 * behind + u) * flow + spread
    diagonal = (behind - ahead) * flow + (constant - 2 * spread)
    upper = spread - (u + 2 * ahead) * flow
    return lower, diagonal, upper


class _Step(torch.autograd.Function):
    """One step. With the differential of both sides, (1 - step/2 f'(v)) dv = (1 + step/2 f'(u)) du."""

    @staticmethod
    def forward(u: Tensor, viscosity: float, spacing: float, step: float) -> Tensor:
        return _solved(u, viscosity, spacing, step)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)
        ctx.settings = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        before, after = _matrices(*ctx.saved_tensors, *ctx.settings)
        return times(transposed(before), solve(transposed(after), slopes[0])), None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        before, after = _matrices(*ctx.saved_tensors, *ctx.settings)
        return solve(after, times(before, tangents[0]))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], u: Any, *settings: Any) -> Any:
        return _Step.apply(u.movedim(in_dims[0], 0), *settings), 0


def _matrices(u: Tensor, v: Tensor, viscosity: float, spacing: float, step: float) -> tuple[Bands, Bands]:
    """1 + step/2 f'(u) and 1 - step/2 f'(v)."""
    before = _rate_slope(u, viscosity, spacing, step / 2, 1.0)
    return before, _rate_slope(v, viscosity, spacing, -step / 2, 1.0)


def _solved(u: Tensor, viscosity: float, spacing: float, step: float) -> Tensor:
    """Newton's method, each row until it has settled; NaN for rows that do not."""
    solution = u.new_full(u.shape, torch.nan)
    found, u = solution.view(-1, u.shape[-1]), u.reshape(-1, u.shape[-1])
    known = u + (step / 2) * rate(u, viscosity, spacing)
    tolerance = 1e-2 * torch.finfo(u.dtype).eps ** 0.5
    left = known.isfinite().all(1).nonzero().flatten()
    v = u[left]
    for _ in range(MOST_ITERATIONS):
        if not len(left):
            break
        v, move = _nearer(v, known[left], viscosity, spacing, step)
        settled = move <= tolerance * v.abs().amax(1)
        found[left[settled]] = v[settled]
        left, v = left[~settled], v[~settled]
    return solution


def _nearer(v: Tensor, known: Tensor, viscosity: float, spacing: float, step: float) -> tuple[Tensor, Tensor]:
    """One step of Newton's method, halved for a row until its equations hold better, and the step's largest entry."""

    def error(v: Tensor) -> Tensor:
        return v - (step / 2) * rate(v, viscosity, spacing) - known

    before = error(v)
    move = solve(_rate_slope(v, viscosity, spacing, -step / 2, 1.0), before)
    size, share = torch.linalg.vector_norm(before, dim=1), torch.ones_like(v[:, 0])
    small = move.abs().amax(1) <= 1e-3 * v.abs().amax(1)  # near the solution, where rounding may hide the improvement
    for _ in range(MOST_HALVINGS):
        after = torch.linalg.vector_norm(error(v - share[:, None] * move), dim=1)
        better = small | (after < size)
        if bool(better.all()):
            break
        share = torch.where(better, share, share / 2)
    return v - share[:, None] * move, move.abs().amax(1)
