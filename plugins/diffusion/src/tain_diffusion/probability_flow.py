"""The likelihood of a continuous flow dz/ds = v(z, s), which carries data to noise.

Along it the log density falls by the divergence of the velocity (instantaneous change of variables),

    d log p(z(s)) / ds = -div v(z(s), s),

so that log p(data) = log p(noise) + the integral of div v from data to noise.

Sources:
    Neural Ordinary Differential Equations (equation 8), https://arxiv.org/abs/1806.07366
    FFJORD (the estimate by random probes, equation 7), https://arxiv.org/abs/1810.01367
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tain_diffusion.runge_kutta import State, integrate

__all__ = ["Velocity", "random_signs", "to_noise", "unit_vectors"]

Velocity = Callable[[Tensor, Tensor], Tensor]
"""z (B, *S) and s, one number, to dz/ds (B, *S)."""


def to_noise(velocity: Velocity, z: Tensor, grid: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """Carry z along the flow by the Runge-Kutta method of fourth order, no gradients kept.

    Args:
        velocity: dz/ds; the result of each row must depend on that row alone.
        z: (B, *S), at the first of the grid's values.
        grid: values of s, one step from each to the next: (steps + 1,).
        probes: e, for quadratic forms e' J e of the velocity's Jacobian J: (K, B, *S), or (K, 1, *S) alike for all.

    Returns:
        z at the last value, (B, *S), and the integral of each quadratic form, (K, B).
    """

    def slope(s: Tensor, state: State) -> State:
        return _with_forms(velocity, state[0], s, probes)

    end, integral = integrate(slope, (z.detach(), z.new_zeros(len(probes), len(z))), grid, "runge-kutta-4")
    return end, integral


def unit_vectors(z: Tensor) -> Tensor:
    """Probes whose quadratic forms sum to the divergence exactly: z (B, *S) to (D, 1, *S), D the entries of a row."""
    size = math.prod(z.shape[1:])
    return torch.eye(size, dtype=z.dtype, device=z.device).reshape(size, 1, *z.shape[1:])


def random_signs(count: int, rows: int, z: Tensor, rng: torch.Generator) -> Tensor:
    """Probes of entries 1 or -1, each form of which is the divergence on average: (count, rows, *S)."""
    signs = torch.randint(0, 2, (count, rows, *z.shape[1:]), generator=rng, device=rng.device)
    return (2 * signs - 1).to(z)


def _with_forms(velocity: Velocity, z: Tensor, s: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity (B, *S), and the quadratic form e' J e of each probe, (K, B)."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        v = velocity(z, s)
    forms = [_form(v, z, probe.expand_as(z)) for probe in probes]  # one by one: that bounds the memory
    return v.detach(), torch.stack(forms) if forms else z.new_zeros(0, len(z))


def _form(v: Tensor, z: Tensor, e: Tensor) -> Tensor:
    (product,) = torch.autograd.grad(v, z, e, retain_graph=True)  # e' J, row by row, since rows are independent
    return (product * e).flatten(1).sum(1)
