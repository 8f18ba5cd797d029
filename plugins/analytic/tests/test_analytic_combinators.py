"""The combinators of the core with true sets: what holds for the parts holds for what they make, to the edge."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.autograd.functional import jacobian

import tain
from tain_analytic import AffineSubspace, Ball, Box, BoxEntropy, Identity, Simplex, SimplexEntropy, Unconstrained

INF = math.inf
ROTATION = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
SKEW = ((2.0, 1.0, 0.0), (0.0, -1.5, 0.5), (0.3, 0.0, 1.0))


def record():
    """Shares, a box of all kinds of intervals and a ball side by side."""
    return tain.mirror_for(tain.Blocks((Simplex(4), Box((0.0, -1.0, -INF, -INF), (INF, 2.0, 3.0, INF)), Ball(3, 2.0))))


def turned_box():
    return tain.mirror_for(tain.Preimage(Box((0.0, -1.0, 2.0), (1.0, 1.0, 5.0)), ROTATION, (0.1, 0.2, 0.3)))


def ellipsoid():
    """|M u + s| <= 2."""
    return tain.mirror_for(tain.Preimage(Ball(3, 2.0), SKEW, (0.5, 1.0, -0.25)))


def ordered():
    """0 <= u_1 <= u_2 <= u_3: increments that are not negative."""
    steps = ((1.0, 0.0, 0.0), (-1.0, 1.0, 0.0), (0.0, -1.0, 1.0))
    return tain.mirror_for(tain.Preimage(Box((0.0,) * 3, (INF,) * 3), steps))


def standardised():
    """The log-ratios of shares, stretched and turned."""
    return tain.Chain(SimplexEntropy(Simplex(4)), tain.AffineMap(Identity(Unconstrained()), SKEW, (1.0, -2.0, 0.5)))


def nested():
    box = tain.Preimage(Box((0.0, -1.0, 2.0), (1.0, 1.0, 5.0)), SKEW)
    return tain.mirror_for(tain.Blocks((tain.Blocks((Simplex(3), Ball(2, 1.0))), box)))


LEGENDRE = [record, turned_box, ellipsoid, ordered, nested]
each_map = pytest.mark.parametrize("build", [*LEGENDRE, standardised])
each_legendre = pytest.mark.parametrize("build", LEGENDRE)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
property_test = settings(deadline=None, derandomize=True, max_examples=20)
seeds = st.integers(0, 2**31)


def points(mirror, seed, dtype=torch.float64, n=5):
    return mirror.constraint.interior(n, rng=seed, dtype=dtype)


def tangents(mirror, x, seed):
    """Random directions that stay in the set: differences of points of it."""
    return points(mirror, seed, x.dtype, len(x)) - x


def chart(mirror, x):
    """The free coordinates of one sample, and how to complete them: the last share is one minus the others."""
    shares = {record: [4], nested: [3], standardised: [4]}
    size = next((sizes[0] for build, sizes in shares.items() if build is mirror), None)
    if size is None:
        return x, lambda free: free
    keep = [i for i in range(len(x)) if i != size - 1]
    return x[keep], lambda free: torch.cat(
        [free[: size - 1], 1 - free[: size - 1].sum(0, keepdim=True), free[size - 1 :]]
    )


@each_map
@each_dtype
@property_test
@given(seed=seeds)
def test_a_round_trip_ends_where_it_began(build, dtype, seed):
    mirror = build()
    x = points(mirror, seed, dtype)
    back = mirror.inverse(mirror(x))
    exact = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(back, x, rtol=exact, atol=exact * mirror.constraint.scale)
    assert mirror.constraint.contains(back).all()


@each_map
def test_log_det_is_that_of_the_jacobian(build):
    mirror = build()
    for x in points(mirror, 1):
        free, complete = chart(build, x)
        matrix = jacobian(lambda z, f=complete: mirror.forward(f(z)[None])[0], free)
        expected = torch.linalg.slogdet(matrix).logabsdet
        torch.testing.assert_close(mirror.log_det(x[None])[0], expected, rtol=1e-9, atol=1e-9)


@each_legendre
@property_test
@given(seed=seeds)
def test_the_gradient_of_the_potential_is_the_map_in_the_pairing(build, seed):
    mirror = build()
    x = points(mirror, seed).requires_grad_()
    v = tangents(mirror, x.detach(), seed + 1)
    (gradient,) = torch.autograd.grad(mirror.potential(x).sum(), x)
    y = mirror(x.detach())
    expected = mirror.pairing(x.detach() + v, y) - mirror.pairing(x.detach(), y)
    torch.testing.assert_close((gradient * v).sum(1), expected, rtol=1e-8, atol=1e-8)


@each_legendre
@property_test
@given(seed=seeds)
def test_fenchels_equality_and_inequality(build, seed):
    mirror = build()
    x, other = points(mirror, seed), points(mirror, seed + 1)
    y = mirror(x)
    size = 1 + mirror.potential(x).abs() + mirror.conjugate(y).abs()
    gap = (mirror.potential(x) + mirror.conjugate(y) - mirror.pairing(x, y)) / size
    assert (gap.abs() <= 1e-12).all()
    assert (mirror.potential(other) + mirror.conjugate(y) - mirror.pairing(other, y) > 0).all()


@each_legendre
@property_test
@given(seed=seeds)
def test_hessian_products_are_derivatives(build, seed):
    mirror = build()
    x = points(mirror, seed)
    v = tangents(mirror, x, seed + 1)
    _, derivative = torch.autograd.functional.jvp(mirror.forward, x, v)
    product = mirror.hessian_vector(x, v)
    torch.testing.assert_close(product, derivative, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(mirror.inverse_hessian_vector(x, product), v, rtol=1e-8, atol=1e-8)


@each_map
@each_dtype
@pytest.mark.parametrize("size", [0.0, 1.0, 20.0, 89.0, 1e4, 1e10, 1e20, 1e30])
def test_mirror_points_of_any_size_come_back_inside(build, dtype, size):
    mirror = build()
    y = mirror(points(mirror, 0, dtype, n=64))
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    x = mirror.inverse(size * direction)
    assert torch.isfinite(x).all()
    assert mirror.constraint.contains(x).all()
    assert torch.isfinite(mirror(x)).all()


@each_dtype
@pytest.mark.parametrize("n", [2, 20, 100])
def test_random_changes_of_variables_keep_samples_inside(dtype, n):
    rng = torch.Generator().manual_seed(n)
    matrix = torch.randn((n, n), generator=rng, dtype=torch.float64)
    for rule in (Box((0.0,) * n, (1.0,) * n), Ball(n, 3.0)):
        mirror = tain.mirror_for(tain.Preimage(rule, matrix, torch.randn(n, generator=rng)))
        for size in (1.0, 1e3, 1e30):
            u = mirror.inverse(size * torch.randn((100, n), generator=rng, dtype=dtype))
            assert mirror.constraint.contains(u).all()


@each_dtype
@pytest.mark.parametrize("condition", [1e2, 1e4, 9e5])
def test_an_ill_conditioned_change_of_variables_loses_digits_but_no_sample(dtype, condition):
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn((6, 6), generator=rng, dtype=torch.float64)).Q for _ in range(2))
    matrix = left @ torch.logspace(0, -math.log10(condition), 6, dtype=torch.float64).diag() @ right
    for rule in (Box((0.0,) * 6, (1.0,) * 6), Box((0.0,) * 6, (INF,) * 6), Ball(6, 3.0)):
        mirror = tain.mirror_for(tain.Preimage(rule, matrix))
        for size in (0.1, 1.0, 1e3, 1e20):
            u = mirror.inverse(size * torch.randn((500, 6), generator=rng, dtype=dtype))
            assert mirror.constraint.contains(u).all()
            assert torch.isfinite(mirror(u)).all()
        u = mirror.constraint.interior(500, rng=1, dtype=dtype)
        error = (mirror.inverse(mirror(u)) - u).abs().max() / u.abs().max()
        assert error <= 40 * condition * torch.finfo(dtype).eps or condition * torch.finfo(dtype).eps > 0.1


@each_map
@each_dtype
def test_a_row_is_the_same_alone_and_in_a_batch(build, dtype):
    mirror = build()
    x = points(mirror, 3, dtype, n=6)
    y = mirror(x)
    near = {"rtol": 100 * torch.finfo(dtype).eps, "atol": 100 * torch.finfo(dtype).eps}
    for row in range(6):
        torch.testing.assert_close(mirror(x[row : row + 1]), y[row : row + 1], **near)
        torch.testing.assert_close(mirror.inverse(y[row : row + 1]), mirror.inverse(y)[row : row + 1], **near)


@each_map
@each_dtype
def test_saved_and_loaded(build, dtype, tmp_path):
    mirror = build()
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    x = points(mirror, 4, dtype)
    assert torch.equal(loaded(x), mirror(x))
    assert torch.equal(loaded.inverse(mirror(x)), mirror.inverse(mirror(x)))


@each_map
def test_float64_accuracy_survives_float(build):
    mirror, cast = build(), build().half().float()
    x = points(mirror, 2)
    assert torch.equal(mirror(x), cast(x))


def test_blocks_of_all_kinds_of_sets():
    plane = AffineSubspace(matrix=[[1.0, 1.0, -1.0]], offset=[0.0])
    blocks = tain.Blocks((Simplex(3), plane, Unconstrained()), sizes=(3, 3, 2))
    mirror = tain.mirror_for(blocks)
    assert tain.supports(blocks, tain.Projectable)
    assert tain.supports(blocks, tain.Retractable)
    assert not tain.supports(mirror, tain.Legendre)
    x = torch.randn((50, 8), generator=torch.Generator().manual_seed(0))
    assert blocks.contains(blocks.project(x)).all()
    assert blocks.contains(mirror.inverse(1e3 * x[:, :7])).all()
    assert torch.equal(blocks.project(x)[:, 6:], x[:, 6:])
    inside = blocks.project(x).clamp(min=-5)
    assert blocks.retract(torch.cat([inside[:, :3].abs() + 0.1, inside[:, 3:]], 1), 0.01).isfinite().all()


def test_a_mirror_map_of_another_block_is_refused():
    blocks = tain.Blocks((Simplex(3), Box((0.0,), (1.0,))))
    mirrors = (SimplexEntropy(Simplex(3)), BoxEntropy(Box((0.0,), (1.0,))))
    assert tain.BlocksMirror(blocks, mirrors).mirror_shape((4,)) == (3,)  # equal sets need not be the same object
    with pytest.raises(tain.ConfigurationError, match=r"'mirrors'\[0\] is a BoxEntropy of Box.* block 0 is Simplex"):
        tain.BlocksMirror(blocks, mirrors[::-1])
    with pytest.raises(tain.ConfigurationError, match=r"'map', SimplexEntropy, has mirror images of shape \(2,\)"):
        tain.AffineMap(mirrors[0], torch.eye(3))
    with pytest.raises(tain.NoMirrorMapError, match="Preimage"):
        tain.mirror_for(tain.Preimage(Simplex(3), torch.eye(3)))
