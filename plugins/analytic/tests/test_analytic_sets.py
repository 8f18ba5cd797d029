"""Properties of the sets: distance, projection, points inside, retraction, and what is refused."""

import math
from collections.abc import Callable

import attrs
import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_analytic import (
    AffineSubspace,
    Ball,
    Box,
    Ellipsoid,
    HalfSpace,
    L1Ball,
    Orthant,
    SecondOrderCone,
    Simplex,
    Slabs,
    Sphere,
    Unconstrained,
)

INF = math.inf
ROWS = 9


def source(seed):
    return torch.Generator().manual_seed(seed)


@attrs.frozen
class Subject:
    """A set, and how deep the points of `interior` are in it."""

    name: str
    constraint: tain.Constraint
    depth: float = 0.0
    boundary: bool = True
    convex: bool = True

    def anywhere(self, rng, dtype):
        """Points inside and far outside, of sizes from 1e-3 to 1e3 of the scale."""
        size = 10 ** (torch.rand((ROWS, 1), generator=rng, dtype=torch.float64) * 6 - 3) * self.constraint.scale
        shape = self.constraint.event_shape or (4,)
        return (torch.randn((ROWS, *shape), generator=rng, dtype=torch.float64) * size).to(dtype)


def turned(size):
    """An orthogonal matrix with no entry of any special value."""
    return torch.linalg.qr(torch.randn((size, size), generator=source(11), dtype=torch.float64)).Q


redundant = AffineSubspace(
    [[1.0, 2.0, 0.0, -1.0, 0.3], [0.0, 1e4, 1e4, 0.0, 0.0], [2.0, 5.0, 1.0, -2.0, 0.6]], [1.0, 3e4, 5.0]
)
SUBJECTS = [
    Subject("simplex-2", Simplex(2), 0.004),
    Subject("simplex-7", Simplex(7), 0.001),
    Subject("simplex-300", Simplex(300), 3e-5),
    Subject("box", Box((0.0, -3.0, 1.0), (1.0, 0.1, 2.0)), 0.009),
    Subject("box-open", Box((0.0, -INF, -INF, 18.0), (INF, 2.5, INF, 100.0)), 0.009),
    Subject("box-far", Box((-1e8, 1e8), (INF, INF)), 1e5),
    Subject("ball", Ball(5, 2.0), 0.01),
    Subject("ball-moved", Ball(3, 0.5, (7.0, 0.1, -2.0)), 0.004),
    Subject("l1-ball", L1Ball(6, 3.0), 0.01),
    Subject("l1-ball-large", L1Ball(200, 1e-3), 5e-7),
    Subject("cone", SecondOrderCone(5), 0.014),
    Subject("half-space", HalfSpace((1.0, -2.0, 0.5, 0.1), 1.0), 0.004),
    Subject("slabs", Slabs(turned(6)[:3], (-1.0, 2.0, -INF), (0.5, INF, 30.0)), 0.007),
    Subject("orthant", Orthant(4), 0.009),
    Subject("sphere", Sphere(5, 2.0), boundary=False, convex=False),
    Subject("sphere-moved", Sphere(3, 0.5, (7.0, 0.1, -2.0)), boundary=False, convex=False),
    Subject("affine", redundant, boundary=False),
    Subject("affine-origin", AffineSubspace([[1.0, 1.0, -1.0]], [0.0]), boundary=False),
    Subject("affine-point", AffineSubspace([[1.0, 1.0], [1.0, -2.0]], [1.0, 4.0]), boundary=False),
    Subject("unconstrained", Unconstrained(), boundary=False),
]
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def having(capability: type | None = None) -> Callable:
    chosen = [s for s in SUBJECTS if capability is None or isinstance(s.constraint, capability)]
    return pytest.mark.parametrize("subject", chosen, ids=lambda subject: subject.name)


seeded = given(seed=st.integers(0, 2**63 - 1))
often = settings(max_examples=20, deadline=None, derandomize=True, database=None)


def rounding(x, constraint):
    """One rounding error of numbers as large as the set's, or as each row."""
    return torch.finfo(x.dtype).eps * x.detach().flatten(1).norm(dim=1).clamp(min=constraint.scale)


def inside(subject, rng, dtype):
    if isinstance(subject.constraint, tain.Interior):
        return subject.constraint.interior(ROWS, rng=rng, dtype=dtype)
    return subject.anywhere(rng, dtype)


@having(tain.Projectable)
@each_dtype
@often
@seeded
def test_projection_is_the_nearest_point(subject, dtype, seed):
    """x - P(x) makes no acute angle with z - P(x), for any z of the set: that characterises the projection.

    On a set that is not convex, an angle is allowed whose cosine is |z - P(x)| / (2 |x - P(x)|) or less: that is,
    |x - P(x)| <= |x - z|.
    """
    constraint, rng = subject.constraint, source(seed)
    x = subject.anywhere(rng, dtype)
    before = x.clone()
    projected = constraint.project(x)
    assert torch.equal(x, before)
    assert projected.dtype == dtype
    assert (constraint.distance(projected) <= 4 * torch.finfo(dtype).eps * constraint.scale).all()
    for _ in range(5):
        z = inside(subject, rng, dtype)
        product = ((x - projected) * (z - projected)).flatten(1).sum(1)
        if not subject.convex:
            product = product - (z - projected).flatten(1).square().sum(1) / 2
        length = (x - projected).flatten(1).norm(dim=1) + (z - projected).flatten(1).norm(dim=1)
        assert (product <= 30 * rounding(x, constraint) * (length + constraint.scale)).all()


@having(tain.Projectable)
@each_dtype
@often
@seeded
def test_projection_is_idempotent_and_leaves_the_set_alone(subject, dtype, seed):
    constraint, rng = subject.constraint, source(seed)
    for x in (constraint.project(subject.anywhere(rng, dtype)), inside(subject, rng, dtype)):
        moved = (constraint.project(x) - x).flatten(1).norm(dim=1)
        assert (moved <= 10 * rounding(x, constraint)).all()


@having(tain.Projectable)
@each_dtype
def test_projection_of_huge_points(subject, dtype):
    constraint = subject.constraint
    (size,) = constraint.event_shape or (4,)
    x = torch.eye(size, dtype=dtype) * 1e30
    x = torch.cat([x, -x, torch.full((1, size), 1e30, dtype=dtype), torch.zeros((1, size), dtype=dtype)])
    projected = constraint.project(x)
    assert torch.isfinite(projected).all()
    assert (constraint.distance(projected) <= 4 * torch.finfo(dtype).eps * constraint.scale).all()


@having(tain.Projectable)
@each_dtype
@often
@seeded
def test_projection_of_a_row_depends_on_no_other(subject, dtype, seed):
    constraint, x = subject.constraint, subject.anywhere(source(seed), dtype)
    neighbours = torch.cat([x[:1], 1e20 * x[1:]])
    assert torch.equal(constraint.project(x)[0], constraint.project(neighbours)[0])
    assert torch.equal(constraint.distance(x)[0], constraint.distance(neighbours)[0])
    assert constraint.project(x[:0]).shape == x[:0].shape


@having(tain.Projectable)
@each_dtype
@often
@seeded
def test_projection_has_a_finite_gradient(subject, dtype, seed):
    constraint, x = subject.constraint, subject.anywhere(source(seed), dtype)
    for z in (x, torch.zeros_like(x), constraint.project(x)):
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(constraint.project(z).sum(), z)
        assert torch.isfinite(slope).all()


@having()
@each_dtype
@often
@seeded
def test_distance(subject, dtype, seed):
    """At least 0, 0 on the set, with finite gradients, row by row, and positive for what was moved by projecting."""
    constraint, rng = subject.constraint, source(seed)
    x = subject.anywhere(rng, dtype).requires_grad_()
    distance = constraint.distance(x)
    assert distance.shape == (ROWS,)
    assert (distance >= 0).all()
    (slope,) = torch.autograd.grad(distance.sum(), x)
    assert torch.isfinite(slope).all()
    torch.testing.assert_close(constraint.distance(x[3:4]), distance[3:4])
    assert constraint.distance(x[:0]).shape == (0,)
    moved = (constraint.project(x) - x).norm(dim=1)
    assert ((distance > 0) | (moved <= 30 * rounding(x, constraint))).all()


@pytest.mark.parametrize("subject", SUBJECTS[3:-1], ids=lambda subject: subject.name)
@often
@seeded
def test_distance_is_that_to_the_projection(subject, seed):
    x = subject.anywhere(source(seed), torch.float64)
    expected = (x - subject.constraint.project(x)).norm(dim=1)
    torch.testing.assert_close(subject.constraint.distance(x), expected, rtol=1e-9, atol=1e-12)


@having(tain.Interior)
@each_dtype
@often
@seeded
def test_interior_points(subject, dtype, seed):
    constraint, state = subject.constraint, torch.random.get_rng_state()
    x = constraint.interior(50, rng=seed, dtype=dtype)
    assert x.shape == (50, *constraint.event_shape)
    assert x.dtype == dtype
    assert (constraint.distance(x) <= 4 * torch.finfo(dtype).eps * constraint.scale).all()
    assert torch.equal(x, constraint.interior(50, rng=source(seed), dtype=dtype))
    assert not torch.equal(x, constraint.interior(50, dtype=dtype)) or subject.name == "affine-point"
    assert torch.equal(state, torch.random.get_rng_state())
    assert not constraint.near_boundary(x, subject.depth).any()


@having(tain.Retractable)
@each_dtype
@often
@seeded
def test_retraction(subject, dtype, seed):
    constraint, rng = subject.constraint, source(seed)
    x = subject.anywhere(rng, dtype)
    if isinstance(constraint, Simplex):
        x = x.abs() + torch.finfo(dtype).eps
        x[:, 1:] *= torch.rand(x[:, 1:].shape, generator=rng, dtype=dtype) < 0.6
    margin = subject.depth
    before = x.clone()
    retracted = constraint.retract(x, margin)
    assert torch.equal(x, before)
    assert (constraint.distance(retracted) <= 4 * torch.finfo(dtype).eps * constraint.scale).all()
    least = margin * (1 - (x.shape[1] - 1) * margin) if isinstance(constraint, Simplex) else margin
    assert not constraint.near_boundary(retracted, least - 8 * float(rounding(retracted, constraint).max())).any()
    assert constraint.retraction
    x = inside(subject, rng, dtype)
    assert ((constraint.retract(x, margin) - x).norm(dim=1) <= 8 * rounding(x, constraint)).all()
    assert ((constraint.retract(x) - x).norm(dim=1) <= 8 * rounding(x, constraint)).all()


@often
@seeded
def test_replacement_keeps_the_ratios_of_the_other_shares(seed):
    rng = source(seed)
    x = torch.rand((ROWS, 6), generator=rng, dtype=torch.float64) + 0.2
    x[torch.rand(x.shape, generator=rng) < 0.3] = 0
    x[:, 0] = 1
    replaced = Simplex(6).retract(x, margin=0.01)
    assert torch.equal(replaced == 0.01, x == 0)
    ratio = torch.where(x > 0, replaced / x, torch.nan)
    assert ((ratio / ratio[:, :1]).nan_to_num(1) - 1).abs().max() < 1e-12


def test_retraction_of_rounded_shares():
    x = torch.tensor([[0.4, 0.3, 0.3002], [0.5, 0.5, 0.0], [0.6, 0.4001, -0.0001]], dtype=torch.float64)
    closed = Simplex(3).retract(x)
    torch.testing.assert_close(closed[0], x[0] / 1.0002)
    torch.testing.assert_close(closed[1], x[1])
    assert closed[2, 2] == 0
    assert Simplex(3).near_boundary(closed, 1e-3).tolist() == [[False] * 3, [False, False, True], [False, False, True]]


@pytest.mark.parametrize(
    ("x", "message"), [([[1.0, 0.0], [0.0, 0.0]], "row 1 sums to 0,"), ([[1.0, -2.0]], "row 0 sums to -1,")]
)
def test_rows_that_no_closure_mends(x, message):
    with pytest.raises(tain.OutsideSetError, match=message):
        Simplex(2).retract(torch.tensor(x))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@having()
def test_not_a_finite_number_is_outside(subject, bad):
    x = inside(subject, source(0), torch.float32)
    x[1, 0] = bad
    assert subject.constraint.contains(x).tolist() == [True, False] + [True] * (ROWS - 2)


def test_distance_of_shares_is_what_a_reader_would_count():
    x = torch.tensor([[0.5, 0.3], [0.5, 0.5002], [1.01, -0.01], [0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(Simplex(2).distance(x), torch.tensor([0.2, 0.0002, 0.01, 0.0], dtype=torch.float64))


@having()
def test_saved_and_loaded_sets(subject, tmp_path):
    tain.save(subject.constraint, tmp_path / "set")
    loaded = tain.load(tmp_path / "set")
    x = subject.anywhere(source(1), torch.float64)
    assert torch.equal(loaded.distance(x), subject.constraint.distance(x))
    assert torch.equal(loaded.project(x), subject.constraint.project(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Simplex(1), r"'parts' is 1, but must be at least 2"),
        (lambda: Simplex(2.5), r"'parts' is 2\.5"),
        (lambda: Box((), ()), r"'lower' has 0 entries and 'upper' has 0"),
        (lambda: Box((0.0, 1.0), (1.0,)), r"'lower' has 2 entries and 'upper' has 1"),
        (lambda: Box((0.0, 3.0), (1.0, 1.0)), r"'lower'\[1\] is 3\.0, but must be below 'upper'\[1\], 1\.0"),
        (lambda: Box((1.0,), (1.0,)), r"'lower'\[0\] is 1\.0, but must be below"),
        (lambda: Box((INF,), (INF,)), r"'lower'\[0\] is inf"),
        (lambda: Box((-INF,), (-INF,)), r"'upper'\[0\], -inf"),
        (lambda: Box((math.nan,), (1.0,)), r"'lower'\[0\] is nan"),
        (lambda: Ball(0, 1.0), r"'size' is 0, but must be at least 1"),
        (lambda: Ball(2, 0.0), r"'radius' is 0\.0, but must be above 0"),
        (lambda: Ball(2, -1.0), r"'radius' is -1\.0"),
        (lambda: Ball(2, INF), r"'radius' is inf"),
        (lambda: Ball(2, math.nan), r"'radius' is nan"),
        (lambda: Ball(2, 1.0, (0.0,)), r"'center' has 1 entries, but must have 'size', 2"),
        (lambda: Ball(1, 1.0, (INF,)), r"'center'\[0\] is inf"),
        (lambda: HalfSpace((0.0, 0.0), 1.0), r"'normal' holds nothing but zeros"),
        (lambda: HalfSpace((0.0, INF), 1.0), r"'normal'\[1\] is inf, but must be finite"),
        (lambda: HalfSpace((0.0, 1.0), INF), r"'offset' is inf"),
        (lambda: Slabs([[0.0, 2.0]], [0.0], [1.0]), r"'directions'\[0\] has the squared length 4, but must have 1"),
        (lambda: Slabs([[0.0, 1.0], [0.6, 0.8]], [0.0] * 2, [1.0] * 2), r"\[0\] and \[1\] have the inner product 0\.8"),
        (lambda: Slabs([[1.0], [1.0]], [0.0] * 2, [1.0] * 2), r"2 rows of 1 numbers"),
        (lambda: Slabs([[0.0, 1.0], [1.0]], [0.0] * 2, [1.0] * 2), r"'directions'\[1\] has 1 entries"),
        (lambda: Slabs([[0.0, 1.0]], [0.0] * 2, [1.0]), r"'lower' has 2 entries.*each of the 1 rows"),
        (lambda: Slabs([[0.0, 1.0]], [2.0], [1.0]), r"'lower'\[0\] is 2\.0, but must be below 'upper'\[0\], 1\.0"),
        (lambda: SecondOrderCone(1), r"'size' is 1, but must be at least 2"),
        (lambda: Ellipsoid([[1.0, 0.0]]), r"'matrix' has shape \(1, 2\), but must be square"),
        (
            lambda: Ellipsoid([[1.0, 0.5], [0.0, 1.0]]),
            r"'matrix'\[0\]\[1\] is 0\.5 but \[1\]\[0\] is 0: it must be symm",
        ),
        (lambda: Ellipsoid([[1.0, 2.0], [2.0, 1.0]]), r"'matrix' has the eigenvalue -1, but all must be above"),
        (lambda: Ellipsoid([[1.0, 0.0], [0.0, math.nan]]), r"'matrix'\[1\]\[1\] is nan, but must be a number"),
        (lambda: Ellipsoid([[1.0]], radius=0.0), r"'radius' is 0\.0, but must be above 0"),
        (lambda: Ellipsoid([[1.0]], center=(0.0, 1.0)), r"'center' has 2 entries.*each of the 1 rows"),
        (lambda: Sphere(2, 0.0), r"'radius' is 0\.0, but must be above 0"),
        (lambda: Sphere(2, 1.0, (0.0,)), r"'center' has 1 entries, but must have 'size', 2"),
        (lambda: L1Ball(2, -1.0), r"'radius' is -1\.0, but must be above 0"),
        (lambda: L1Ball(0, 1.0), r"'size' is 0, but must be at least 1"),
        (lambda: AffineSubspace([[0.0, 0.0]], [0.0]), r"'matrix' holds nothing but zeros"),
        (lambda: AffineSubspace([[]], [0.0]), r"'matrix' has shape \(1, 0\)"),
        (lambda: AffineSubspace([], []), r"'matrix' has shape \(0,\)"),
        (lambda: AffineSubspace([[1.0, 2.0]], [1.0, 2.0]), r"'offset' has shape \(2,\).*each of the 1 rows"),
        (lambda: AffineSubspace([[1.0, 2.0], [1.0]], [1.0, 2.0]), r"'matrix'\[1\] has 1 entries.*has 2"),
        (lambda: AffineSubspace([[1.0, INF]], [1.0]), r"'matrix'.*inf"),
        (lambda: AffineSubspace(torch.ones(1, 2), torch.tensor([torch.nan])), r"'offset'.*nan"),
        (lambda: AffineSubspace([[1.0, 1.0], [2.0, 2.0]], [1.0, 3.0]), r"contradict.*breaks row . .* by "),
        (lambda: AffineSubspace([[0.0, 0.0]], [1.0]), r"contradict.*breaks row 0 .*'offset'\[0\] 1, by 1 "),
        (lambda: Unconstrained(0), r"'event_ndim' is 0, but must be at least 1"),
    ],
)
def test_bad_parameters_are_refused_by_name_and_value(build, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        build()


@pytest.mark.parametrize(
    ("constraint", "margin", "limit"),
    [
        (Simplex(4), 0.25, "0.25"),
        (L1Ball(4, 3.0), 1.5, "1.5"),
        (Slabs([[0.0, 1.0]], [-1.0], [1.0]), 1.0, "1"),
        (Ball(2, 3.0), 3.0, "3"),
        (Box((0.0, 0.0), (1.0, INF)), 0.5, "0.5"),
    ],
)
def test_margins_that_leave_nothing_are_refused(constraint, margin, limit):
    x = constraint.interior(2, rng=0)
    for bad in (margin, -1e-3, math.nan):
        with pytest.raises(tain.ConfigurationError, match=f"'margin' is {bad}, .* below {limit}"):
            constraint.retract(x, bad)


@each_dtype
def test_affine_subspace_with_many_equations(dtype):
    """d = 95 with 67 equations, some of which follow from others, at the size of real data."""
    rng = source(0)
    A = torch.randn((60, 95), generator=rng, dtype=torch.float64)
    A = torch.cat([A, A[:7] + 2 * A[7:14]])
    solution = 1e3 * torch.randn(95, generator=rng, dtype=torch.float64)
    subspace = AffineSubspace(A, A @ solution)
    x = subspace.project(1e3 * torch.randn((100, 95), generator=rng, dtype=dtype))
    assert subspace.contains(x).all()
    residual = subspace.residual(x.double()).norm(dim=1)
    assert (residual <= 20 * torch.finfo(dtype).eps * A.norm() * 1e3).all()
    assert subspace.residual(x).shape == (100, 67)


def test_equations_in_float32_are_taken_for_what_they_are():
    """A row that follows from others only up to float32 rounding is redundant, not a second rule."""
    rows = torch.tensor([[0.1, 0.7, 0.3], [0.2, -0.4, 0.9]])
    rows = torch.cat([rows, rows[:1] * 0.3 + rows[1:] * 0.7])
    subspace = AffineSubspace(rows, rows @ torch.tensor([1.0, 2.0, 3.0]))
    x = subspace.project(torch.randn((5, 3), generator=source(0)))
    torch.testing.assert_close(subspace.residual(x), torch.zeros(5, 3), atol=1e-5, rtol=0)
    assert x.std(0).max() > 0.1  # and not one point, as three rules would leave


def test_affine_map_is_precise_under_autocast():
    subspace = redundant
    mirror = tain.mirror_for(subspace)
    y = 10 * torch.randn((20, 5), generator=source(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = mirror.inverse(y)
        assert torch.equal(mirror(x), x)
    assert torch.equal(x, mirror.inverse(y))


@each_dtype
@often
@seeded
def test_affine_projection_map(dtype, seed):
    mirror = tain.mirror_for(redundant)
    y = torch.randn((ROWS, 5), generator=source(seed), dtype=torch.float64)
    y = (y * 10 ** (torch.rand((ROWS, 1), generator=source(seed), dtype=torch.float64) * 60 - 30)).to(dtype)
    x = mirror.inverse(y)
    assert mirror.constraint.contains(x, tolerance=4 * torch.finfo(dtype).eps * redundant.scale).all()
    again = mirror.inverse(mirror.forward(x))
    assert ((again - x).norm(dim=1) <= 12 * rounding(x, redundant)).all()
    with pytest.raises(tain.OutsideSetError, match="row 0"):
        mirror.forward(torch.ones((1, 5), dtype=dtype))
