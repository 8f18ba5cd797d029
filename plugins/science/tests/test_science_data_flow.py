"""The solver of the flow against exact solutions, and what a developed flow looks like."""

import math
from itertools import pairwise

import pytest
import torch

import tain
from tain_science.data import KolmogorovFlow
from tain_science.data.vorticity import VorticitySolver, regridded


def spectrum_of(velocity):
    """Kinetic energy by wavenumber, from 0 on: (B, 2, N, N) to (N / 2,)."""
    size = velocity.shape[-1]
    modes = torch.fft.fft2(velocity.double()).abs().square().sum(1).mean(0) / (2 * size**4)
    waves = torch.fft.fftfreq(size, 1 / size)
    shell = torch.hypot(waves[:, None], waves).round().long()
    return torch.zeros(size, dtype=torch.float64).index_add(0, shell.flatten(), modes.flatten())[: size // 2]


def test_a_flow_from_rest_approaches_the_laminar_one_exactly():
    """sin(m y) e_x advects nothing, so that its amplitude solves a' = 1 - (viscosity m^2 + drag) a."""
    solver = VorticitySolver(16, viscosity=0.05, drag=0.1, wavenumber=3)
    rest = torch.zeros(1, solver.grid, solver.grid // 2 + 1, dtype=torch.complex128)
    rate, time = 0.05 * 9 + 0.1, 1.7
    velocity = solver.velocity(solver.run(rest, time))
    y = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    wanted = (1 - math.exp(-rate * time)) / rate * torch.sin(3 * y)[:, None].expand(16, 16)
    assert velocity[0, 0] == pytest.approx(wanted, abs=1e-7)
    assert velocity[0, 1].abs().max() < 1e-12


def test_a_step_is_the_equation_in_its_usual_form():
    """w_t = -u . grad w + viscosity lap w - drag w - m cos(m y), with derivatives and products on a fine grid."""
    viscosity, drag, wavenumber, fine, step = 0.01, 0.2, 2, 64, 1e-4
    solver = VorticitySolver(16, viscosity, drag, wavenumber)
    white = torch.randn(1, solver.grid, solver.grid, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = solver.random(white)
    changed = regridded((solver.run(before, step) - before) / step, fine, 8)

    modes = regridded(before, fine, 8)
    x = torch.fft.rfftfreq(fine, 1 / fine, dtype=torch.float64)
    y = torch.fft.fftfreq(fine, 1 / fine, dtype=torch.float64)[:, None]
    square = x**2 + y**2
    stream = modes / square.clamp_min(1)
    factors = (1j * y * stream, -1j * x * stream, 1j * x * modes, 1j * y * modes)
    u, v, slope_x, slope_y = map(torch.fft.irfft2, factors)
    force = -wavenumber * torch.cos(wavenumber * 2 * math.pi * torch.arange(fine) / fine)[:, None].expand(fine, fine)
    wanted = torch.fft.rfft2(force - u * slope_x - v * slope_y) - (viscosity * square + drag) * modes
    kept = ((x < 8) & (y.abs() < 8) & (square > 0)).double()
    scale = wanted.abs().max()
    assert ((changed - wanted) * kept).abs().max() < 1e-3 * scale


def test_the_method_is_of_fourth_order():
    solver = VorticitySolver(16, viscosity=0.01, drag=0.1, wavenumber=4)
    white = torch.randn(1, solver.grid, solver.grid, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start, time = solver.random(white), 0.5

    def after(parts):
        state = start
        for _ in range(parts):
            state = solver.run(state, time / parts)
        return solver.velocity(state)

    exact = after(96)  # steps of about 1 / 200
    errors = [(after(parts) - exact).abs().max().item() for parts in (12, 24)]
    assert 12 < errors[0] / errors[1] < 20


def test_a_developed_flow_has_bounded_energy_and_a_falling_spectrum():
    flow = KolmogorovFlow(size=32, snapshots=3)
    rows = flow.simulate(3, rng=0)
    energy = 0.5 * rows.unflatten(1, (3, 2)).square().sum(2).mean((2, 3))  # (3, 3)
    assert energy.min() > 0.5
    assert energy.max() < 2.0
    assert ((energy[:, 1:] / energy[:, :-1]) - 1).abs().max() < 0.2
    spectrum = spectrum_of(rows.unflatten(1, (3, 2)).flatten(0, 1))
    means = [spectrum[a:b].mean().item() for a, b in ((1, 4), (4, 7), (7, 10), (10, 13), (13, 16))]
    assert all(later < earlier for earlier, later in pairwise(means))
    assert means[-1] < 0.02 * means[0]


def test_snapshots_follow_each_other():
    rows = KolmogorovFlow(size=16, snapshots=3, spin_up=2.0, interval=0.05).simulate(3, rng=0)
    first, second, third = rows.unflatten(1, (3, 2)).unbind(1)
    near, far = (second - first).square().mean(), (third - first).square().mean()
    assert 0 < near < far < 0.2 * first.square().mean()


def test_the_velocity_is_that_of_the_vorticity():
    solver = VorticitySolver(32, 0.001, 0.1, 4)
    white = torch.randn(2, solver.grid, solver.grid, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    vorticity = solver.random(white)
    u, v = solver.velocity(vorticity).unbind(1)
    assert 0.5 * (u**2 + v**2).mean((1, 2)) == pytest.approx(torch.ones(2), rel=1e-6)
    x = torch.fft.rfftfreq(32, 1 / 32, dtype=torch.float64)
    y = torch.fft.fftfreq(32, 1 / 32, dtype=torch.float64)[:, None]
    curl = 1j * x * torch.fft.rfft2(v) - 1j * y * torch.fft.rfft2(u)
    assert (curl - regridded(vorticity, 32, 16)).abs().max() < 1e-9 * curl.abs().max()
    divergence = 1j * x * torch.fft.rfft2(u) + 1j * y * torch.fft.rfft2(v)
    assert divergence.abs().max() < 1e-9 * curl.abs().max()


def test_a_flow_that_is_too_fast_for_the_step_is_refused():
    solver = VorticitySolver(8, viscosity=0.0, drag=0.0, wavenumber=1)
    rest = torch.zeros(1, solver.grid, solver.grid // 2 + 1, dtype=torch.complex128)
    with pytest.raises(tain.ConfigurationError, match=r"reached a speed of .*allows"):
        solver.run(rest, 9.0)  # the laminar flow grows without bound
