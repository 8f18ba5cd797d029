"""Burgers' equation: the solver's accuracy, its equations, what it conserves, its derivatives; and the rule."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.autograd import gradcheck, gradgradcheck

import tain
from tain_science import Burgers
from tain_science.crank_nicolson import crank_nicolson, rate
from tain_science.cyclic_tridiagonal import solve, times, transposed

LENGTH = 10.0
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def property_test(function):
    checked = given(seed=st.integers(0, 2**63 - 1), points=st.sampled_from([3, 4, 5, 12, 25, 64]))(function)
    return settings(max_examples=20, deadline=None, derandomize=True, database=None)(checked)


def normal(shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def smooth(points):
    x = torch.arange(points, dtype=torch.float64) * (2 * math.pi / points)
    return torch.stack((x.sin(), 0.5 + x.cos() - 0.3 * (2 * x).sin()))


def exact(points, viscosity, time, length=2 * math.pi):
    """The solution -2 nu (log w)_x of Cole and Hopf, where w = 2 + exp(-nu t) cos x solves the heat equation."""
    x = torch.arange(points, dtype=torch.float64) * (length / points)
    decayed = math.exp(-viscosity * time)
    return 2 * viscosity * decayed * x.sin() / (2 + decayed * x.cos())


def test_second_order_in_time():
    """Against much finer steps, the error falls to a quarter each time that the step is halved."""
    start, spacing = smooth(32), 2 * math.pi / 32
    reference = crank_nicolson(start, 0.05, spacing, 0.05 / 64, 5 * 64)
    errors = [float((crank_nicolson(start, 0.05, spacing, 0.05 / k, 5 * k) - reference).abs().max()) for k in (1, 2, 4)]
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert errors[0] < 1e-3
    assert all(1.9 < order < 2.1 for order in orders), orders


def test_second_order_in_space_towards_the_exact_solution():
    errors = []
    for points in (32, 64, 128):
        found = crank_nicolson(exact(points, 0.5, 0.0), 0.5, 2 * math.pi / points, 0.005, 200)
        errors.append(float((found - exact(points, 0.5, 1.0)).abs().max()))
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert errors[-1] < 1e-4
    assert all(1.9 < order < 2.1 for order in orders), orders


@each_dtype
@pytest.mark.parametrize("viscosity", [0.0, 0.05, 0.5])
def test_the_equations_of_each_step_hold_up_to_rounding(dtype, viscosity):
    @property_test
    def check(seed, points):
        spacing, step = LENGTH / points, 0.025
        u = normal((7, points), seed, dtype) * torch.logspace(-3, 1, 7, dtype=dtype)[:, None]
        v = crank_nicolson(u, viscosity, spacing, step, 1)
        error = (v - u).double() - step / 2 * (
            rate(u.double(), viscosity, spacing) + rate(v.double(), viscosity, spacing)
        )
        size = u.abs().amax(1) * (1 + step * (u.abs().amax(1) / spacing + 4 * viscosity / spacing**2))
        assert (error.abs().amax(1) <= 8 * torch.finfo(dtype).eps * size).all()

    check()


@property_test
def test_the_sum_is_kept_and_no_energy_made(seed, points):
    u = normal((7, points), seed)
    v = crank_nicolson(u, 0.1, LENGTH / points, 0.025, 5)
    torch.testing.assert_close(v.sum(1), u.sum(1), rtol=0, atol=1e-12 * points)
    assert (rate(u, 0.0, 0.1) * u).sum(1).abs().max() <= 1e-12 * points
    assert ((rate(u, 0.1, 0.1) * u).sum(1) < 0).all()


@property_test
def test_cyclic_equations_against_dense_ones(seed, points):
    bands = tuple(normal((3, points), seed + k) + (5 if k == 1 else 0) for k in range(3))
    right, unit = normal((3, points), seed + 3), torch.eye(points, dtype=torch.float64)[:, None]
    dense = times(bands, unit).permute(1, 2, 0)  # the columns are what A makes of unit vectors
    torch.testing.assert_close(solve(bands, right), torch.linalg.solve(dense, right))
    torch.testing.assert_close(times(transposed(bands), right), (dense.mT @ right[..., None])[..., 0])


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # of torch's own forward derivatives
def test_derivatives():
    for points in (5, 8):
        u = normal((2, points), points).requires_grad_()

        def steps(u, spacing=6.0 / points):
            return crank_nicolson(u, 0.1, spacing, 0.1, 2)

        assert gradcheck(steps, u, check_forward_ad=True)
        assert gradgradcheck(steps, u)
        forwards, backwards = torch.func.jacfwd(steps)(u.detach()), torch.func.jacrev(steps)(u.detach())
        torch.testing.assert_close(forwards, backwards)
        each = torch.func.vmap(torch.func.jacrev(steps))(u.detach())
        torch.testing.assert_close(each[1], forwards[1, :, 1])


@each_dtype
def test_rows_do_not_see_each_other(dtype):
    """Rough, empty, unsolvable and broken rows change nothing of the others; those without a solution are NaN."""
    u = normal((6, 64), 0, dtype)
    hard = torch.cat((u, 10 * u[:1], 100 * u[:1], 0 * u[:1], torch.nan * u[:1]))
    found = crank_nicolson(hard, 0.05, LENGTH / 64, 0.025, 2)
    assert found[:6].equal(crank_nicolson(u, 0.05, LENGTH / 64, 0.025, 2))
    assert found.isfinite().all(1).tolist() == [True] * 7 + [False, True, False]
    assert (found[8] == 0).all()
    assert crank_nicolson(hard[:, None, :4], 0.5, 1.0, 0.1, 1).shape == (10, 1, 4)


def test_half_precision_is_stepped_in_single_precision():
    u = normal((3, 16), 1, torch.bfloat16)
    found = crank_nicolson(u, 0.5, 1.0, 0.025, 5)
    assert found.dtype == torch.bfloat16
    assert found.equal(crank_nicolson(u.float(), 0.5, 1.0, 0.025, 5).bfloat16())


@each_dtype
@property_test
def test_the_rule_holds_for_its_solutions_alone(dtype, seed, points):
    rule = Burgers(0.05)
    x = rule.evolved(normal((4, 1, points), seed), 6).to(dtype)
    assert x.shape == (4, 1, 6, points)
    assert rule.contains(x).all()
    assert not rule.contains(x.flip(2)).any()
    assert not Burgers(0.06).contains(x).any()
    assert (rule.distance(x) == rule.residual(x).abs().mean(1)).all()


def test_explicit_steps_break_the_rule():
    """Euler's method, with which a fixed point that is never solved for leaves one, is no Crank-Nicolson."""
    rule, states = Burgers(0.05), [normal((4, 1, 64), 0)]
    for _ in range(3):
        state = states[-1]
        for _ in range(5):
            state = state + 0.025 * rate(state, 0.05, LENGTH / 64)
        states.append(state)
    assert (rule.distance(rule.trajectory(torch.stack(states, 1))) > 1e-4).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Burgers(-0.5), r"'viscosity' is -0\.5, but must be at least 0"),
        (lambda: Burgers(0.5, every=0), r"'every' is 0"),
        (lambda: Burgers(0.5).distance(torch.ones(1, 2, 4, 8)), r"\(2, 4, 8\), but must have \(1, T, \.\.\.\)"),
        (lambda: Burgers(0.5).distance(torch.ones(1, 1, 1, 8)), r"T at least 2"),
        (lambda: Burgers(0.5).distance(torch.ones(1, 1, 4, 2)), r"states have 2 points, but must have at least 3"),
        (lambda: crank_nicolson(torch.ones(4), 0.5, 1.0, 0.0, 1), r"'step' is 0\.0, but must be above 0"),
        (lambda: crank_nicolson(torch.ones(4), math.nan, 1.0, 0.1, 1), r"'viscosity' is nan"),
        (lambda: crank_nicolson(torch.ones(4), 0.5, 1.0, 0.1, -1), r"'steps' is -1, but must be at least 0"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
