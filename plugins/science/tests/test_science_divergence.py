"""The divergence and its projection, against dense linear algebra on small grids, for each stencil and any size."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_analytic import EuclideanProjection
from tain_science import DivergenceFree

STENCILS = ["central", "staggered", "spectral"]
each_stencil = pytest.mark.parametrize("stencil", STENCILS)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def property_test(function):
    sizes = st.integers(1, 12)
    checked = given(seed=st.integers(0, 2**63 - 1), snapshots=st.integers(1, 3), height=sizes, width=sizes)(function)
    return settings(max_examples=25, deadline=None, derandomize=True, database=None)(checked)


def normal(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def dense(rule, shape):
    """The matrix of the divergence, (pixels, numbers of a sample)."""
    unit = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return rule.residual(unit).mT


@each_stencil
@property_test
def test_the_projection_is_that_of_dense_least_squares(stencil, seed, snapshots, height, width):
    rule, shape = DivergenceFree(stencil), (2 * snapshots, height, width)
    D, x = dense(rule, shape), normal((3, *shape), seed)
    expected = x.flatten(1) - x.flatten(1) @ D.mT @ torch.linalg.pinv(D, rtol=1e-10).mT
    torch.testing.assert_close(rule.project(x).flatten(1), expected, rtol=0, atol=1e-12)


@each_stencil
@each_dtype
@property_test
def test_projections_have_no_divergence_whatever_the_size(stencil, dtype, seed, snapshots, height, width):
    rule = DivergenceFree(stencil)
    x = normal((4, 2 * snapshots, height, width), seed, dtype)
    projected = rule.project(x)
    assert rule.contains(projected).all()
    torch.testing.assert_close(rule.project(projected), projected, rtol=0, atol=8 * torch.finfo(dtype).eps)
    torch.testing.assert_close(rule.project(x[:, :2]), projected[:, :2])  # each snapshot is on its own
    assert rule.project(x[:0]).shape == x[:0].shape


@each_stencil
def test_stencils_see_what_they_should(stencil):
    """sin x along x has the divergence of its stencil's own derivative; across x, and where constant, none."""
    rule, angle = DivergenceFree(stencil), torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    wave = angle.sin().expand(6, 8)
    along = torch.stack((wave, torch.zeros_like(wave)))[None]
    across = torch.stack((torch.full_like(wave, 3.0), wave))[None]
    slope = {
        "central": math.sin(math.pi / 4) * angle.cos(),
        "staggered": angle.sin() - (angle - math.pi / 4).sin(),
        "spectral": math.pi / 4 * angle.cos(),
    }[stencil]
    torch.testing.assert_close(rule.residual(along).view(6, 8), slope.expand(6, 8), rtol=0, atol=1e-14)
    torch.testing.assert_close(rule.distance(along), slope.abs().mean()[None])
    assert rule.contains(across).all()
    down = along.flip(1).mT  # the same flow along y, with its components exchanged
    torch.testing.assert_close(rule.residual(down).view(8, 6).mT, slope.expand(6, 8), rtol=0, atol=1e-14)


def test_modes_that_a_stencil_does_not_see_stay():
    checkerboard = (-1.0) ** (torch.arange(6)[:, None] + torch.arange(4)).double()
    x = torch.stack((checkerboard, 2 * checkerboard))[None]
    for stencil in ("central", "spectral"):
        assert DivergenceFree(stencil).contains(x).all()
        torch.testing.assert_close(DivergenceFree(stencil).project(x), x)
    assert not DivergenceFree("staggered").contains(x).any()


@each_stencil
def test_flows_of_stream_functions_have_no_divergence(stencil):
    """u = D_y psi, v = -D_x psi, with the derivatives of the stencil read off the divergence itself."""
    rule, psi = DivergenceFree(stencil), normal((2, 1, 7, 10))
    nothing = torch.zeros_like(psi)
    across = rule.residual(torch.cat((psi, nothing), 1)).view(psi.shape)
    down = rule.residual(torch.cat((nothing, psi), 1)).view(psi.shape)
    flow = torch.cat((down, -across), 1)
    assert rule.contains(flow).all()
    torch.testing.assert_close(rule.project(flow), flow)


@each_stencil
def test_derivatives(stencil):
    rule = DivergenceFree(stencil)
    x = normal((2, 4, 3, 4)).requires_grad_()
    assert torch.autograd.gradcheck(rule.project, x)
    assert torch.autograd.gradcheck(rule.residual, x)
    assert torch.autograd.gradcheck(rule.distance, x)


def test_real_sizes_and_the_map():
    rule, x = DivergenceFree(), normal((3, 16, 64, 48), dtype=torch.float32)
    mirror = tain.mirror_for(rule)
    assert isinstance(mirror, EuclideanProjection)
    projected = mirror.inverse(x)
    assert rule.distance(projected).max() <= 1e-6 * rule.distance(x).min()
    assert mirror(projected).equal(projected)
    fast = 1e3 * projected
    assert not rule.contains(fast).any()
    assert DivergenceFree(scale=1e3).contains(fast).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DivergenceFree("centrl"), r"'stencil' is 'centrl'.*Did you mean: central"),
        (lambda: DivergenceFree(scale=0.0), r"'scale' is 0\.0, but must be above 0"),
        (lambda: DivergenceFree().distance(torch.ones(2, 3, 4, 4)), r"\(2, 3, 4, 4\), but must have \(B, 2 K, H, W\)"),
        (lambda: DivergenceFree().project(torch.ones(2, 4, 4)), r"one batch dimension and 3 more"),
        (lambda: DivergenceFree().project(torch.ones(2, 0, 4, 4)), r"two channels for each snapshot"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
