"""Barriers with a power: the roots behind their inverse functions, and the tails that they are for."""

import pytest
import torch

import tain
from tain_analytic import Ball, BallBarrier, Box, BoxBarrier, Slabs, SlabsBarrier
from tain_analytic.power_roots import ball_root, half_line_root, interval_root

POWERS = (0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def right_sides(dtype):
    sizes = torch.logspace(-30, 30, 2001, dtype=torch.float64)
    return torch.cat([torch.zeros(1), sizes, torch.linspace(0, 5, 1001)]).to(dtype)


@each_dtype
@pytest.mark.parametrize("power", [*POWERS, 2.0, 4.0, 10.0])
def test_half_line_root_solves_its_equation(power, dtype):
    z = right_sides(dtype)
    r = half_line_root(z, power)
    assert (r >= 1).all()
    assert ((r - r**-power - z).abs() <= 4 * (1 + power) * torch.finfo(dtype).eps * (r + z)).all()


@each_dtype
@pytest.mark.parametrize("power", POWERS)
def test_interval_root_solves_its_equation(power, dtype):
    z = right_sides(dtype)
    r = interval_root(z, power)
    assert (r >= 1).all()
    error = (r - (2 - r ** (-1 / power)) ** -power - z).abs()
    assert (error <= 4 * torch.finfo(dtype).eps * (r + z)).all()


@each_dtype
@pytest.mark.parametrize("power", POWERS)
def test_ball_root_solves_its_equation(power, dtype):
    """u = z / r must have u r = z, trivially, and r = (1 - u^2)^-power: compared in r and in u, whichever is exact."""
    z = right_sides(dtype)
    r = ball_root(z, power)
    assert (r >= 1).all()
    u = z / r
    assert (u <= 1).all()
    slack = r.double() ** (-1 / power)
    assert ((u.double() ** 2 + slack - 1).abs() <= 16 / power * torch.finfo(dtype).eps).all()


@pytest.mark.parametrize("root", [half_line_root, interval_root, ball_root])
@pytest.mark.parametrize("power", POWERS)
def test_first_and_second_derivatives(root, power):
    z = torch.tensor([0.01, 0.5, 1.0, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: root(z, power), (z,))
    assert torch.autograd.gradgradcheck(lambda z: root(z, power), (z,))


def test_power_one_is_the_log_barrier_of_the_closed_form():
    """Just below 1, the general formulas must give nearly what the closed form gives at 1."""
    y = torch.linspace(-50, 50, 101, dtype=torch.float64)[:, None]
    for build in (
        lambda power: BoxBarrier(Box((-1.0,), (3.0,)), weight=2.0, power=power),
        lambda power: BoxBarrier(Box((-1.0,), (torch.inf,)), weight=2.0, power=power),
        lambda power: BallBarrier(Ball(1, 3.0), beta=2.0, power=power),
        lambda power: SlabsBarrier(Slabs([[1.0]], (-1.0,), (3.0,)), power=power),
    ):
        exact, near = build(1.0), build(1 - 1e-9)
        torch.testing.assert_close(near.inverse(y), exact.inverse(y), rtol=1e-7, atol=1e-7)
        x = exact.inverse(y)
        torch.testing.assert_close(near(x), exact(x), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(near.log_det(x), exact.log_det(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("power", [0.2, 0.4, 1.0])
def test_tails_of_a_uniform_distribution(power):
    """P(|y| > r) falls like r^(-1 / power): so moments of an order below 1 / power are finite, and no others.

    |y| is between s^-power - 2^power and s^-power for the nearer slack s, uniform on [0, 1/2], of a point of [0, 1].
    """
    n = 200_000
    x = torch.rand((n, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = BoxBarrier(Box((0.0,), (1.0,)), power=power)(x).abs()
    for s in (1e-1, 1e-2, 1e-3):
        r = s**-power
        share = float((y > r).double().mean())
        noise = 4 * (2 * s / n) ** 0.5
        assert 2 * (r + 2**power) ** (-1 / power) - noise <= share <= 2 * s + noise


@pytest.mark.parametrize("power", [0.0, 0.05, 1.5, float("nan")])
def test_other_powers_are_refused(power):
    with pytest.raises(tain.ConfigurationError, match="'power'"):
        tain.create("mirror-map", "box-barrier", box=Box((0.0,), (1.0,)), power=power)
    with pytest.raises(tain.ConfigurationError, match="'power'"):
        BallBarrier(Ball(2, 1.0), power=power)
