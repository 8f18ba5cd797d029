"""Polytopes and their log barrier: the set, its construction, and the mathematics of the map as properties."""

import math

import attrs
import pytest
import torch
from torch.autograd.functional import jacobian, jvp

import tain
from tain_analytic import Box, Polytope, PolytopeBarrier, Simplex
from tain_analytic.newton import solve

DOUBLE = torch.float64
DTYPES = [torch.float32, DOUBLE]


def source(seed):
    return torch.Generator().manual_seed(seed)


def normal(shape, seed):
    return torch.randn(shape, generator=source(seed), dtype=DOUBLE)


def triangle():
    return Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])


def cube(n=3):
    eye = torch.eye(n, dtype=DOUBLE)
    return Polytope(torch.cat([eye, -eye]), torch.ones(2 * n, dtype=DOUBLE))


def shares(parts=6):
    return Polytope(-torch.eye(parts, dtype=DOUBLE), torch.zeros(parts), torch.ones(1, parts), torch.ones(1))


def many(d=20, m=60, seed=0):
    A, room = normal((m, d), seed), torch.rand(m, generator=source(seed), dtype=DOUBLE) + 0.5
    return Polytope(A, A.norm(dim=1) * room)


def network(n=95, k=67):
    """Flows between 0 and 5 under balances, as in a metabolic network."""
    C, eye = normal((k, n), 1), torch.eye(n, dtype=DOUBLE)
    bounds = torch.cat([torch.zeros(n), torch.full((n,), 5.0)])
    return Polytope(torch.cat([-eye, eye]), bounds, C, C @ (1 + torch.rand(n, generator=source(2), dtype=DOUBLE)))


def cross():
    """A corner of it lies on 16 facets in 5 dimensions."""
    return Polytope(torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 5), torch.ones(32))


def thin():
    return Polytope([[1, 0], [-1, 0], [1, 1e3], [-1, -1e3]], [1, 1, 1, 1])


@attrs.define
class Subject:
    name: str
    mirror: PolytopeBarrier

    def points(self, dtype=DOUBLE, n=20, seed=3):
        """Interior points, some moved towards the boundary until their least slack is 1e-2 to 1e-6 of the scale."""
        polytope = self.mirror.constraint
        x = polytope.interior(n, rng=seed, dtype=DOUBLE)
        wanted = 1.01 * polytope.scale * 10 ** -(2 + 4 * torch.rand(n, 1, generator=source(seed), dtype=DOUBLE))
        s, center = polytope.slack(x), polytope.slack(polytope.center[None])
        speed = center - s
        share = ((center - wanted) / speed).where(speed > 0, torch.inf).amin(1, keepdim=True).clamp(min=1)
        share[::2] = 1
        return (polytope.center + share * (x - polytope.center)).to(dtype)

    def gentle(self, dtype=DOUBLE, n=20, seed=3):
        return self.mirror.constraint.interior(n, rng=seed, dtype=DOUBLE).to(dtype)

    def images(self, size, n=12, seed=4):
        """Mirror images of a size, in directions random, of a facet, near a facet, and with entries of all sizes."""
        G = self.mirror.constraint._G
        f = G.shape[1]
        one, other = (G[torch.randint(len(G), (n,), generator=source(seed + i))] for i in (0, 1))
        free = normal((n, f), seed).clamp(-1, 1)
        tiny = 10 ** (-20 * torch.rand((n, 1), generator=source(seed), dtype=DOUBLE))
        mixed = free * 10 ** (-30 * torch.rand((n, f), generator=source(seed), dtype=DOUBLE))
        return size * torch.cat([free, one, one + other * tiny, mixed])

    def tangent(self, like, seed=5):
        N = self.mirror.constraint._hull.basis
        return (normal(like.shape, seed) @ N @ N.mT).to(like.dtype)


BUILT = {
    subject.name: subject
    for subject in (
        Subject("triangle", PolytopeBarrier(triangle())),
        Subject("cube", PolytopeBarrier(cube(), weight=0.1)),
        Subject("simplex", PolytopeBarrier(shares(), weight=3.0)),
        Subject("many", PolytopeBarrier(many())),
        Subject("cross", PolytopeBarrier(cross())),
        Subject("thin", PolytopeBarrier(thin())),
        Subject("network", PolytopeBarrier(network())),
        Subject("triangle-power", PolytopeBarrier(triangle(), weight=2.0, power=0.25)),
        Subject("many-power", PolytopeBarrier(many(), power=0.3)),
        Subject("cross-power", PolytopeBarrier(cross(), power=0.5)),
        Subject("thin-power", PolytopeBarrier(thin(), power=0.8)),
        Subject("network-power", PolytopeBarrier(network(), power=0.5)),
    )
}
each = pytest.mark.parametrize("subject", BUILT.values(), ids=BUILT)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


def close(found, expected, relative, scale=0.0):
    """Whether the largest error of each row is within `relative` of the row's largest entry, or of `scale`."""
    found, expected = (z.detach().double().reshape(len(z), -1) for z in (found, expected))
    error = (found - expected).abs().amax(1)
    assert torch.isfinite(found).all()
    assert (error <= relative * expected.abs().amax(1).clamp(min=scale)).all(), f"errors {error.tolist()}"


@each
def test_inverse_undoes_forward(subject):
    x, scale = subject.points(), subject.mirror.constraint.scale
    close(subject.mirror.inverse(subject.mirror(x)), x, 1e-8, scale)
    x = subject.points()  # float32: as far as y, rounded, knows x
    slack = subject.mirror.constraint.slack(x).amin(1, keepdim=True)
    back = subject.mirror.inverse(subject.mirror(x.float()))
    assert ((back - x).abs() <= 1e-5 * scale + 1e-8 * scale**2 / slack).all()


@each
@each_dtype
def test_forward_undoes_inverse(subject, dtype):
    y = normal(subject.mirror(subject.gentle()).shape, 6).to(dtype) / subject.mirror.constraint.scale
    close(
        subject.mirror(subject.mirror.inverse(y)),
        y,
        1e-9 if dtype == DOUBLE else 2e-3,
        1 / subject.mirror.constraint.radius,
    )


@each
@each_dtype
def test_every_finite_image_comes_back_into_the_set(subject, dtype):
    polytope = subject.mirror.constraint
    for size in (0, 1e-30, 1e-3, 1, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12, 1e15, 1e20, 1e25, 1e30):
        x = subject.mirror.inverse(subject.images(size).to(dtype))
        assert x.dtype == dtype
        assert torch.isfinite(x).all()
        assert (polytope.distance(x) <= 4 * torch.finfo(dtype).eps * polytope.scale).all()
        assert torch.isfinite(subject.mirror(x)).all()


@each
@pytest.mark.parametrize("size", [1e-3, 1, 1e2, 1e4, 1e6, 1e9, 1e12])
def test_few_steps_and_a_small_residual(subject, size):
    E = subject.mirror._E
    eta = subject.images(size) @ subject.mirror._back.mT
    eta = eta / (eta.norm(dim=1, keepdim=True) / 1e12).clamp(min=1)
    u, sigma, steps = solve(E, eta)
    residual = ((1 / sigma) @ E - eta).norm(dim=1) / eta.norm(dim=1).clamp(min=1)
    assert residual.max() <= 1e-9
    assert steps.max() <= 25
    assert (1 - u @ E.mT - sigma).abs().max() <= 1e-11
    assert (sigma > 0).all()


@pytest.mark.parametrize("name", ["many", "network"])
def test_the_residual_that_a_reader_can_check(name):
    """From the returned x alone: w G' (1 / s(x)) = y to 1e-9, at most 25 steps, for points of the set."""
    mirror = BUILT[name].mirror
    y = mirror(BUILT[name].gentle(n=1000))
    x = mirror.inverse(y)
    gradient = (1 / mirror.constraint.slack(x)) @ mirror.constraint._G
    assert ((gradient - y).norm(dim=1) <= 1e-9 * y.norm(dim=1)).all()
    assert solve(mirror._E, y @ mirror._back.mT)[2].max() <= 25


def test_an_interval_has_a_closed_form():
    """-log(x - a) - log(b - x): with the half width r, y = 2 v / (r^2 - v^2), v = y r^2 / (1 + hypot(1, y r))."""
    mirror = PolytopeBarrier(Polytope([[1.0], [-2.0]], [5.0, 2.0]))  # from -1 to 5
    y = torch.cat([10 ** torch.linspace(-8, 12, 81, dtype=DOUBLE), -(10 ** torch.linspace(-8, 12, 81, dtype=DOUBLE))])
    v = 9 * y / (1 + torch.hypot(torch.ones_like(y), 3 * y))
    close(mirror.inverse(y[:, None]), 2 + v[:, None], 1e-12, 5.0)
    x = mirror.constraint.interior(50, rng=0, dtype=DOUBLE)
    close(mirror(x), 2 * (x - 2) / (9 - (x - 2) ** 2), 1e-12)
    close(mirror.log_det(x), (1 / (5 - x) ** 2 + 1 / (x + 1) ** 2).log()[:, 0], 1e-12, 1.0)


def test_a_cube_is_its_intervals():
    mirror, line = PolytopeBarrier(cube(4)), PolytopeBarrier(cube(1))
    y = normal((30, 4), 7) * 10 ** (6 * torch.rand((30, 4), generator=source(8), dtype=DOUBLE))
    close(mirror.inverse(y), line.inverse(y.reshape(-1, 1)).reshape(30, 4), 1e-11, 1.0)


@each
def test_forward_is_the_gradient_of_the_potential(subject):
    x = subject.points().requires_grad_()
    (slope,) = torch.autograd.grad(subject.mirror.potential(x).sum(), x)
    v = subject.tangent(x)
    close(subject.mirror.pairing(v, subject.mirror(x)), (slope * v).sum(1), 1e-8, float((slope * v).abs().max()))


@each
def test_inverse_is_the_gradient_of_the_conjugate(subject):
    y = subject.mirror(subject.points()).detach().requires_grad_()
    (slope,) = torch.autograd.grad(subject.mirror.conjugate(y).sum(), y)
    w = normal(y.shape, 9)
    close((slope * w).sum(1), subject.mirror.pairing(subject.mirror.inverse(y), w), 1e-8, 1e-3)


@each
@each_dtype
def test_fenchel(subject, dtype):
    mirror, x = subject.mirror, subject.points(dtype)
    y = mirror(x)
    terms = torch.stack([mirror.potential(x), mirror.conjugate(y), -mirror.pairing(x, y)], 1)
    size = 1 + terms.abs().amax(1) + x.abs().amax(1) * y.abs().amax(1)
    assert (terms.sum(1).abs() <= 100 * torch.finfo(dtype).eps * size * mirror.constraint.event_shape[0]).all()
    far = mirror(subject.points(dtype, seed=10))
    assert (
        mirror.potential(x) + mirror.conjugate(far) - mirror.pairing(x, far) >= -1e-3 * (dtype != DOUBLE) * size
    ).all()


@each
def test_hessians_are_derivatives_and_undo_each_other(subject):
    mirror, x = subject.mirror, subject.points()
    v, y = subject.tangent(x), mirror(x)
    w = normal(y.shape, 11)
    close(mirror.hessian_vector(x, v), jvp(mirror.forward, x, v)[1], 1e-8)
    x = subject.gentle()  # near a facet, H v knows v along the facet only to 1e-4
    close(mirror.inverse_hessian_vector(x, mirror.hessian_vector(x, v)), v, 1e-8)
    y = mirror(x)
    close(mirror.inverse_hessian_vector(mirror.inverse(y), w), jvp(mirror.inverse, y, w)[1], 1e-8)


@each
def test_log_det_is_that_of_the_jacobian(subject):
    mirror = subject.mirror
    N, x = mirror.constraint._hull.basis, subject.points(n=4)
    for row in x:
        expected = torch.linalg.slogdet(
            jacobian(lambda z, row=row: mirror.forward((row + N @ z)[None])[0], torch.zeros(N.shape[1], dtype=DOUBLE))
        ).logabsdet
        close(mirror.log_det(row[None]), expected[None], 1e-8, 1.0)


@pytest.mark.parametrize("name", ["triangle", "cube", "simplex", "cross"])
def test_first_and_second_derivatives(name):
    mirror = BUILT[name].mirror
    y = mirror(BUILT[name].gentle(n=3)).requires_grad_()
    assert torch.autograd.gradcheck(mirror.inverse, (y,), atol=1e-7)
    assert torch.autograd.gradgradcheck(mirror.inverse, (y,), atol=1e-6)
    assert torch.autograd.gradcheck(mirror.conjugate, (y,), atol=1e-6)
    assert torch.autograd.gradgradcheck(mirror.conjugate, (y,), atol=1e-6)
    x = BUILT[name].gentle(n=3).requires_grad_()
    assert torch.autograd.gradcheck(mirror.log_det, (x,), atol=1e-6)


@each
@each_dtype
def test_gradients_are_finite_everywhere(subject, dtype):
    for size in (0, 1e-30, 1, 1e6, 1e12, 1e30):
        y = subject.images(size, n=4).to(dtype).requires_grad_()
        x = subject.mirror.inverse(y)
        (slope,) = torch.autograd.grad((normal(x.shape, 12).to(dtype) * x).sum(), y)
        assert torch.isfinite(slope).all()
        (slope,) = torch.autograd.grad(subject.mirror.conjugate(y).sum(), y)
        close(slope, x.double() @ subject.mirror.constraint._hull.basis, 1e-5, subject.mirror.constraint.scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_on_the_boundary(dtype):
    mirror = BUILT["triangle"].mirror
    x = torch.tensor([[0, 0], [1, 0], [0, 1], [0.5, 0.5], [0.25, 0]], dtype=dtype, requires_grad=True)
    v = torch.ones_like(x)
    for function in (mirror.forward, mirror.potential, mirror.log_det, lambda z: mirror.hessian_vector(z, v)):
        value = function(x)
        assert torch.isfinite(value).all()
        assert torch.isfinite(torch.autograd.grad(value.sum(), x)[0]).all()
    assert torch.isfinite(mirror.inverse_hessian_vector(x, v)).all()
    close(mirror.inverse(mirror(x[:3])), x[:3], 1e-5 if dtype == torch.float32 else 1e-8, 1.0)


@each
@each_dtype
def test_each_row_on_its_own(subject, dtype):
    mirror, rounding = subject.mirror, 1e-10 if dtype == DOUBLE else 1e-4
    y = mirror(subject.gentle(dtype, n=9))
    x, copy = mirror.inverse(y), y.clone()
    for row in range(3):
        close(mirror.inverse(y[row : row + 1]), x[row : row + 1], rounding, mirror.constraint.scale)
    far = torch.cat([y[:1], y[1:] * 1e9, torch.zeros_like(y[:1])])
    close(mirror.inverse(far)[:1], x[:1], rounding, mirror.constraint.scale)
    assert torch.equal(y, copy)
    assert mirror.inverse(y[:0]).shape == (0, *x.shape[1:])
    assert mirror.conjugate(y[:0]).shape == (0,)
    assert mirror.mirror_shape(mirror.constraint.event_shape) == y.shape[1:]
    assert mirror.primal_shape(mirror.mirror_shape(x.shape[1:])) == x.shape[1:]


@pytest.mark.parametrize("name", ["triangle", "simplex", "network"])
def test_saved_and_loaded(name, tmp_path):
    mirror = BUILT[name].mirror
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    x = BUILT[name].gentle()
    assert type(loaded) is PolytopeBarrier
    assert torch.equal(loaded(x), mirror(x))
    assert torch.equal(loaded.inverse(mirror(x)), mirror.inverse(mirror(x)))
    assert torch.equal(mirror.half().float()(x), loaded(x))


def test_found_by_name_and_by_constraint():
    square = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    polytope = tain.create("constraint", "polytope", matrix=square, bounds=[0.1, 1, 1, 1])
    assert float(polytope.bounds[0]) == 0.1  # lists are float64
    assert isinstance(tain.mirror_for(polytope), PolytopeBarrier)
    assert isinstance(tain.create("mirror-map", "polytope-barrier", polytope=polytope), PolytopeBarrier)


def test_points_outside_and_images_that_are_no_numbers_are_refused():
    mirror = BUILT["triangle"].mirror
    with pytest.raises(tain.OutsideSetError, match=r"1 of 2 samples are outside, the worst row 1 by 0\.5"):
        mirror(torch.tensor([[0.1, 0.1], [0.1, -0.5]]))
    with pytest.raises(tain.OutsideSetError, match="row 0 by nan"):
        mirror(torch.tensor([[torch.nan, 0.1]]))
    with pytest.raises(tain.DataError, match=r"row 1 is \[0\.0, inf\]"):
        mirror.inverse(torch.tensor([[0.0, 0.0], [0.0, torch.inf]]))


# The set


def test_distance_adds_what_is_broken():
    polytope = shares(3)
    x = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.5, 0.5], [0.2 + 0.1, 0.3 + 0.1, 0.5 + 0.1], [-0.3, 0.65, 0.65]])
    expected = [0, 0, 0.1 * math.sqrt(3), 0.3 / math.sqrt(2 / 3)]  # the slack of x_1 >= 0 within the plane
    close(polytope.distance(x), torch.tensor(expected), 1e-6, 1.0)
    assert polytope.contains(torch.rand(50, 3, generator=source(0)).softmax(1)).all()


@each
@each_dtype
def test_interior_points(subject, dtype):
    polytope = subject.mirror.constraint
    x = polytope.interior(200, rng=7, dtype=dtype)
    assert x.dtype == dtype
    assert polytope.contains(x).all()
    assert (polytope.slack(x) > 5e-3 * polytope.radius).all()
    assert torch.equal(x, polytope.interior(200, rng=7, dtype=dtype))
    assert not torch.equal(x, polytope.interior(200, rng=8, dtype=dtype))


def test_interior_points_fill_the_set():
    x = cube(2).interior(4000, rng=0, dtype=DOUBLE) / 0.99
    assert (x.mean(0).abs() < 0.05).all()
    assert ((x**2).mean(0) - 1 / 3).abs().max() < 0.03


@each
def test_retraction(subject):
    polytope = subject.mirror.constraint
    outside = polytope.interior(50, rng=1, dtype=DOUBLE) + polytope.scale * normal((50, *polytope.event_shape), 13)
    margin = 0.3 * polytope.radius
    x = polytope.retract(outside, margin)
    assert polytope.contains(x).all()
    assert (polytope.slack(x) >= margin - 1e-12 * polytope.scale).all()
    assert torch.equal(polytope.retract(x, margin * 0.999), x)
    assert polytope.contains(polytope.retract(outside)).all()
    with pytest.raises(tain.ConfigurationError, match="'margin' is"):
        polytope.retract(x, polytope.radius * 1.01)


def test_near_boundary_is_that_of_a_box_and_of_shares():
    x = 2 * torch.rand(50, 3, generator=source(2)) - 1
    assert torch.equal(cube().near_boundary(x, 0.2), Box((-1.0,) * 3, (1.0,) * 3).near_boundary(x, 0.2))
    share = torch.rand(50, 6, generator=source(2)).softmax(1)
    height = math.sqrt(5 / 6)  # in the plane, a share of t is t / height away from the facet
    assert torch.equal(shares().near_boundary(share, 0.15), Simplex(6).near_boundary(share, 0.15 * height))
    assert triangle().near_boundary(torch.tensor([[0.5, 0.45], [0.01, 0.3]]), 0.1).tolist() == [
        [True] * 2,
        [True, False],
    ]


def test_intersection():
    left, right = cube(2), Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [3, 0, 3, 0])
    both = left.intersection(right)
    assert both.contains(torch.tensor([[0.5, 0.5], [-0.5, 0.5], [2.0, 0.5]])).tolist() == [True, False, False]
    close(both.center[None], torch.full((1, 2), 0.5), 1e-9)
    with pytest.raises(tain.ConfigurationError, match=r"one have 2 entries, those of the other 3"):
        left.intersection(cube(3))
    with pytest.raises(tain.ConfigurationError, match="empty"):
        left.intersection(Polytope([[1, 0], [-1, 0], [0, 1], [0, -1]], [3, -2, 3, 0]))


# Construction


def test_a_duplicate_or_parallel_row_counts_once():
    square = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    plain, doubled = Polytope(square, [1, 1, 1, 1]), Polytope([*square, [2, 0], [7, 0]], [1, 1, 1, 1, 2, 70])
    x = plain.interior(9, rng=0)
    assert torch.equal(PolytopeBarrier(plain)(x), PolytopeBarrier(doubled)(x))


def test_a_redundant_row_keeps_the_set_and_a_zero_row_is_dropped():
    polytope = Polytope([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [0, 0]], [1, 1, 1, 1, 5, 0])
    assert polytope.scale == pytest.approx(math.sqrt(2))
    assert polytope.slack(torch.zeros(1, 2)).shape == (1, 5)
    mirror = PolytopeBarrier(polytope)
    x = polytope.interior(9, rng=0, dtype=DOUBLE)
    close(mirror.inverse(mirror(x)), x, 1e-10, 1.0)


def test_rows_and_equations_of_any_length_and_repeated_equations():
    plain = shares(3)
    scaled = Polytope(
        [[-1e6, 0, 0], [0, -1e-6, 0], [0, 0, -1], [1, 1, 1]], [0, 0, 0, 2], [[1e5, 1e5, 1e5], [3, 3, 3]], [1e5, 3]
    )
    x = plain.interior(9, rng=0, dtype=DOUBLE)
    close(scaled.slack(x), plain.slack(x), 1e-12)


SQUARE = [[1, 0], [-1, 0], [0, 1], [0, -1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1], [-1]], [-1, -1]), r"set is empty: every point breaks one of the rows 0, 1 of 'matrix' by 1 or more"),
        (([*SQUARE, [0, 0]], [1, 1, 1, 1, -1]), r"set is empty: 'matrix'\[4\] x is 0 .* 'bounds'\[4\], -1"),
        ((SQUARE, [1, 1, 1, 1], [[1, 0]], [3]), r"set is empty: 'matrix'\[0\] x is 3 .* at most 'bounds'\[0\], 1"),
        (([[-1, 0], [0, -1]], [0, 0]), r"unbounded: entry 0 of x has no limit along the direction \(1, "),
        (([[1, 0], [-1, 0]], [1, 1]), r"unbounded: entry 1 of x has no limit along the direction \(.*, -?1\)"),
        ((SQUARE, [1, -1, 1, 1]), r"no interior: the rows 0, 1 of 'matrix' together hold only with equality"),
        ((SQUARE, [1, 1, 1, 1], [[1, 1], [1, 1]], [0, 1]), r"equations contradict each other: .* row \d"),
        ((SQUARE, [1, 1, 1, 1], [[1, 1], [1, 2]], [0, 0]), r"'equality_matrix' has 2 independent rows for 2 unknowns"),
        ((SQUARE, [1, 1, 1]), r"'bounds' has shape \(3,\), but must have one entry for each of the 4 rows of 'matrix'"),
        (([[1, 0], [1]], [1, 1]), r"'matrix'\[1\] has 1 entries, but 'matrix'\[0\] has 2"),
        ((torch.zeros(0, 2), torch.zeros(0)), r"'matrix' has shape \(0, 2\), but must be 2-D, not empty"),
        ((SQUARE, [1, 1, 1, 1], [[1, 1]], None), r"'equality_matrix' is given without 'equality_offset'"),
        ((SQUARE, [1, 1, 1, 1], [[1, 1, 1]], [1]), r"'equality_matrix' has 3 columns, but 'matrix' has 2"),
        ((torch.eye(2), torch.tensor([1, torch.inf])), r"'bounds'\[1\] is inf, not finite"),
    ],
)
def test_bad_parameters_are_refused_by_name_and_value(arguments, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        Polytope(*arguments)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf])
def test_a_bad_weight_is_refused(weight):
    with pytest.raises(tain.ConfigurationError, match="'weight' is"):
        PolytopeBarrier(triangle(), weight=weight)
