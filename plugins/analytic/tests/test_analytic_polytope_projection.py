"""The nearest points of polytopes: optimality, scipy's answers, corners of many facets, far points, derivatives."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize, nnls

import tain
from tain_analytic import Box, EuclideanProjection, Polytope, PolytopeBarrier, Simplex

DOUBLE = torch.float64
EPS = torch.finfo(DOUBLE).eps


def source(seed):
    return torch.Generator().manual_seed(seed)


def normal(shape, seed):
    return torch.randn(shape, generator=source(seed), dtype=DOUBLE)


def uniform(shape, seed):
    return torch.rand(shape, generator=source(seed), dtype=DOUBLE)


def many(d=20, m=60, seed=0):
    eye = torch.eye(d, dtype=DOUBLE)
    A = torch.cat([normal((m - 2 * d, d), seed), 0.2 * eye, -0.2 * eye])  # bounded, whatever the others are
    return Polytope(A, A.norm(dim=1) * (0.5 + uniform((m,), seed)))


def pyramid():
    """Its apex, (0, 0, 1), lies on 5 facets, and is the nearest point to many."""
    around = torch.arange(5, dtype=DOUBLE) * (2 * math.pi / 5)
    sides = torch.stack([around.cos(), around.sin(), torch.ones(5, dtype=DOUBLE)], 1)
    return Polytope(torch.cat([sides, torch.tensor([[0, 0, -1.0]])]), [1.0] * 5 + [0.0])


def flows(n=20, k=8):
    """Flows between 0 and 5 under balances."""
    C, eye = normal((k, n), 1), torch.eye(n, dtype=DOUBLE)
    bounds = torch.cat([torch.zeros(n), torch.full((n,), 5.0)])
    return Polytope(torch.cat([-eye, eye]), bounds, C, C @ (1 + uniform((n,), 2)))


def box(lower, upper):
    eye = torch.eye(len(lower), dtype=DOUBLE)
    return Polytope(
        torch.cat([-eye, eye]), torch.cat([-torch.tensor(lower, dtype=DOUBLE), torch.tensor(upper, dtype=DOUBLE)])
    )


def shares(parts):
    return Polytope(-torch.eye(parts, dtype=DOUBLE), torch.zeros(parts), torch.ones(1, parts), torch.ones(1))


SETS = {
    "triangle": Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1]),
    "interval": Polytope([[1.0], [-2.0]], [5.0, 2.0]),
    "box": box([-1.0, 0.0, 2.0], [1.0, 0.1, 7.0]),
    "shares": shares(7),
    "many": many(),
    "pyramid": pyramid(),
    "cross": Polytope(torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 5), torch.ones(32)),  # corners of 16 facets
    "thin": Polytope([[1, 0], [-1, 0], [1, 1e3], [-1, -1e3]], [1, 1, 1, 1]),
    "wedge": Polytope([[1, 0], [1, 1e-5], [-1, 1e-5], [0, -1], [-1, 0]], [1, 1, 1, 1, 3]),  # nearly parallel facets
    "flows": flows(),
    "tiny": Polytope(many(5, 15).matrix, 1e-30 * many(5, 15).bounds),
    "far": box([1e6, -1e6], [1e6 + 1, -1e6 + 2]),
}
each = pytest.mark.parametrize("polytope", SETS.values(), ids=SETS)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=["float32", "float64"])
seeded = given(seed=st.integers(0, 2**63 - 1))
often = settings(max_examples=8, deadline=None, derandomize=True, database=None)


def anywhere(polytope, seed, n=20, dtype=DOUBLE):
    """Points inside and outside, from 1e-2 to 1e3 of the scale away; some straight off a facet or off a corner."""
    size = polytope.scale * 10 ** (5 * uniform((n, 1), seed) - 2)
    N, G = polytope._hull.basis, polytope._G
    x = polytope.interior(n, rng=seed, dtype=DOUBLE) + size * normal((n, *polytope.event_shape), seed)
    chosen = torch.randint(len(G), (n, 2), generator=source(seed))
    along = G[chosen[:, 0]] + (chosen[:, 1] % 2)[:, None] * G[chosen[:, 1]]
    x[::4] = (polytope.project(x) + size * along @ N.mT)[::4]
    return x.to(dtype)


def rounding(x, polytope):
    return torch.finfo(x.dtype).eps * x.double().norm(dim=1).clamp(min=polytope.scale)


def missing(polytope, x, projected, near=1e-11):
    """How much of x - P(x), within the hull, no non-negative combination of the normals of near facets explains."""
    off = polytope.reduce(x) - polytope.reduce(projected)
    result = []
    for row, slack in zip(off, polytope.slack(projected), strict=True):
        normals = polytope._G[slack <= near * polytope.scale]
        size = max(float(row.norm()), polytope.scale)
        result.append(size * nnls(normals.mT.numpy(), (row / size).numpy())[1] if len(normals) else float(row.norm()))
    return torch.tensor(result, dtype=DOUBLE)


@each
@often
@seeded
def test_what_is_missing_is_a_sum_of_normals(polytope, seed):
    x = anywhere(polytope, seed)
    before, projected = x.clone(), polytope.project(x)
    assert torch.equal(x, before)
    assert (polytope.distance(projected) <= 4 * EPS * polytope.scale).all()
    assert (missing(polytope, x, projected) <= 100 * rounding(x, polytope)).all()


@each
@each_dtype
@often
@seeded
def test_no_point_of_the_set_is_at_an_acute_angle(polytope, dtype, seed):
    x = anywhere(polytope, seed, dtype=dtype)
    projected = polytope.project(x)
    assert projected.dtype == dtype
    assert (polytope.distance(projected) <= 4 * torch.finfo(dtype).eps * polytope.scale).all()
    others = torch.cat([polytope.interior(50, rng=seed, dtype=DOUBLE), polytope.project(anywhere(polytope, seed + 1))])
    off = (x.double() - projected.double())[:, None]
    product = (off * (others - projected.double()[:, None])).sum(2)
    assert (product <= (30 * rounding(x, polytope) * (off[:, 0].norm(dim=1) + polytope.scale))[:, None]).all()


@pytest.mark.parametrize("d", [2, 3, 5, 8, 13, 20])
def test_as_scipy_finds_it(d):
    for polytope in (many(d, 3 * d, seed=d), many(d, 10 * d, seed=d + 1)):
        for p in polytope.scale * normal((6, d), d + 2):
            found, expected = polytope.project(p[None])[0], by_scipy(polytope, p)
            assert float((found - expected).norm()) <= 1e-6 * polytope.scale
            assert float((found - p).norm()) <= float((expected - p).norm()) + 1e-9 * polytope.scale


def by_scipy(polytope, p):
    A, b, p = (z.numpy() for z in (polytope.matrix, polytope.bounds, p))
    found = minimize(
        lambda z: ((z - p) ** 2).sum() / 2,
        polytope.center.numpy(),
        jac=lambda z: z - p,
        constraints={"type": "ineq", "fun": lambda z: b - A @ z, "jac": lambda z: -A},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return torch.tensor(found.x)


@each
@each_dtype
def test_points_of_the_set_stay_bit_for_bit(polytope, dtype):
    inside = polytope.interior(50, rng=3, dtype=dtype)
    assert torch.equal(polytope.project(inside), inside)
    projected = polytope.project(anywhere(polytope, 4, n=200, dtype=dtype))
    again = polytope.project(projected)
    assert ((again - projected).double().norm(dim=1) <= 4 * rounding(projected, polytope)).all()
    if not len(polytope.equality_matrix):
        assert torch.equal(again, projected)


@each
@each_dtype
def test_points_of_any_size(polytope, dtype):
    """As far as float64 can tell, what is missing is a sum of normals. Its reference may blur the facets' normals."""
    n = polytope.event_shape[0]
    directions = torch.cat([normal((12, n), 5), torch.eye(n), -torch.ones(1, n), polytope._G @ polytope._hull.basis.mT])
    for size in (0.0, 1e-30, 1e-3, 1.0, 1e6, 1e12, 1e15, 1e18, 1e24, 1e30):
        x = (size * directions).to(dtype)
        projected = polytope.project(x)
        assert torch.isfinite(projected).all()
        assert (polytope.distance(projected) <= 4 * torch.finfo(dtype).eps * polytope.scale).all()
        exact = polytope.project(x.double())
        assert (missing(polytope, x.double(), exact) <= 100 * rounding(x.double(), polytope)).all()
        assert ((projected.double() - exact).norm(dim=1) <= 4 * torch.finfo(dtype).eps * polytope.scale).all()


def test_far_along_a_normal_of_a_box():
    polytope, plain = SETS["box"], Box((-1.0, 0.0, 2.0), (1.0, 0.1, 7.0))
    x = torch.cat([torch.eye(3), -torch.eye(3), torch.ones(1, 3)]).double()
    for size in (1.0, 1e6, 1e12):  # further out, the other entries are below the rounding error of the largest
        torch.testing.assert_close(polytope.project(size * x), plain.project(size * x), rtol=0, atol=1e-14)


@often
@seeded
def test_a_box_and_the_simplex_given_as_polytopes(seed):
    for size in (0.1, 1.0, 1e3):
        x = size * normal((50, 3), seed)
        expected = Box((-1.0, 0.0, 2.0), (1.0, 0.1, 7.0)).project(x)
        torch.testing.assert_close(SETS["box"].project(x), expected, rtol=0, atol=1e-14)
        x = size * normal((50, 7), seed)
        atol = 1e-14 * max(1.0, size)
        torch.testing.assert_close(SETS["shares"].project(x), Simplex(7).project(x), rtol=0, atol=atol)


def test_an_apex_of_five_facets_is_hit_exactly():
    x = torch.tensor([[0.0, 0.0, 9.0], [0.1, -0.2, 1e4], [0.0, 0.0, 1 + 1e-6], [1e-9, 0.0, 2.0]], dtype=DOUBLE)
    apex = torch.tensor([[0.0, 0.0, 1.0]], dtype=DOUBLE).expand(4, 3)
    torch.testing.assert_close(pyramid().project(x), apex, rtol=0, atol=1e-15)


def test_redundant_and_repeated_rows_change_nothing():
    plain = SETS["triangle"]
    doubled = Polytope([*[[-1, 0], [0, -1], [1, 1]] * 3, [1, 0], [0, 1], [2, 1]], [*[0, 0, 1] * 3, 1, 1, 2])
    x = 3 * normal((200, 2), 6)
    torch.testing.assert_close(doubled.project(x), plain.project(x), rtol=0, atol=1e-15)


@often
@seeded
def test_small_whole_numbers(seed):
    """Polytopes full of ties: facets through one corner, points as far from several facets, multipliers of zero."""
    eye = torch.eye(4, dtype=DOUBLE)
    A = torch.randint(-2, 3, (30, 4), generator=source(seed)).double()
    A = torch.cat([A[(A != 0).any(1)], eye, -eye])
    polytope = Polytope(A, torch.randint(1, 4, (len(A),), generator=source(seed)).double())
    G, i = polytope._G, torch.randint(len(polytope._G), (2, 50), generator=source(seed))
    near = torch.randint(-6, 7, (50, 4), generator=source(seed)).double()
    for size in (0.0, 1.0, 1e6, 1e9, 1e12, 1e30):  # far along sums of normals, what decides between facets is rounding
        x = near + size * (G[i[0]] + (torch.arange(50) % 3)[:, None] * G[i[1]])
        projected = polytope.project(x)
        assert (polytope.distance(projected) <= 4 * EPS * polytope.scale).all()
        assert (missing(polytope, x, projected) <= 100 * rounding(x, polytope)).all()


@pytest.mark.parametrize("name", ["triangle", "box", "shares", "pyramid", "flows"])
def test_derivatives(name):
    polytope = SETS[name]
    x = polytope.scale * normal((3, *polytope.event_shape), 7)
    x[0] = polytope.center
    x.requires_grad_()
    assert torch.autograd.gradcheck(polytope.project, (x,), atol=1e-7)
    if name != "flows":
        assert torch.autograd.gradgradcheck(polytope.project, (x,), atol=1e-7)


def test_the_derivative_keeps_the_directions_of_the_face():
    x = torch.tensor([[1.0, 1.5], [0.25, -9.0], [1e30, 0.0], [0.2, 0.7]], requires_grad=True)
    projected = SETS["triangle"].project(x)
    (slope,) = torch.autograd.grad((projected * torch.tensor([3.0, 1.0])).sum(), x)
    torch.testing.assert_close(slope, torch.tensor([[1.0, -1.0], [3.0, 0.0], [0.0, 0.0], [3.0, 1.0]]))


@each
@each_dtype
def test_gradients_are_finite(polytope, dtype):
    for size in (0.0, 1e-30, 1.0, 1e30):
        x = (size * normal((9, *polytope.event_shape), 8)).to(dtype)
        for z in (x, polytope.project(x)):
            z = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(polytope.project(z).sum(), z)
            assert torch.isfinite(slope).all()


@each
@each_dtype
def test_each_row_on_its_own(polytope, dtype):
    x = anywhere(polytope, 9, n=12, dtype=dtype)
    projected, allowed = polytope.project(x), 8 * rounding(x, polytope)
    neighbours = torch.cat([x[:3], 1e20 * x[3:], torch.full_like(x[:1], math.nan)])
    together = polytope.project(neighbours)
    assert ((together[:3] - projected[:3]).double().norm(dim=1) <= allowed[:3]).all()
    assert together[3:-1].isfinite().all()
    assert together[-1].isnan().all()
    for row in range(3):
        assert float((polytope.project(x[row : row + 1]) - projected[row]).double().norm()) <= float(allowed[row])
    assert polytope.project(x[:0]).shape == x[:0].shape


def test_parts_of_a_large_batch():
    x = 3 * normal((5000, 20), 10)
    torch.testing.assert_close(SETS["many"].project(x)[4990:], SETS["many"].project(x[4990:]), rtol=0, atol=1e-13)


@each_dtype
def test_as_a_mirror_map(dtype, tmp_path):
    polytope = SETS["flows"]
    assert type(tain.mirror_for(polytope)) is PolytopeBarrier
    mirror = EuclideanProjection(polytope)
    y = anywhere(polytope, 11, dtype=dtype)
    x = mirror.inverse(y)
    assert polytope.contains(x).all()
    assert ((mirror.inverse(mirror.forward(x)) - x).double().norm(dim=1) <= 4 * rounding(x, polytope)).all()
    with pytest.raises(tain.OutsideSetError, match="20 of 20 samples are outside"):
        mirror.forward(x + 9)
    tain.save(mirror, tmp_path / "mirror")
    assert torch.equal(tain.load(tmp_path / "mirror").inverse(y), x)
