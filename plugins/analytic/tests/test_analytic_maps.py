"""The mathematics of every Legendre map, as properties of random points, in float32 and float64.

A new map needs one line in SUBJECTS. What a property cannot know of a map is in that line: points at a stated slack,
points on the boundary, and for flat sets, the directions that stay in it and a chart of it.
"""

import math
from collections.abc import Callable
from functools import partial

import attrs
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torch.autograd.functional import jacobian, jvp

import tain
from tain_analytic import (
    Ball,
    BallBarrier,
    Box,
    BoxBarrier,
    BoxEntropy,
    Ellipsoid,
    EllipsoidBarrier,
    HalfSpace,
    Identity,
    Ordered,
    OrderedEntropy,
    Orthant,
    SecondOrderCone,
    SecondOrderConeBarrier,
    SecondOrderConeEntropy,
    Simplex,
    SimplexEntropy,
    Slabs,
    SlabsBarrier,
    SlabsEntropy,
    Unconstrained,
)

INF = math.inf
ROWS = 7
SLACK = 1e-6  # of the scale: the least slack at which round trips are promised


def source(seed):
    return torch.Generator().manual_seed(seed)


def logarithmic(shape, rng, low, high):
    """Numbers whose logarithm is uniform between those of `low` and `high`, in float64."""
    share = torch.rand(shape, generator=rng, dtype=torch.float64)
    return torch.exp(math.log(low) + share * math.log(high / low))


def signs(shape, rng):
    return torch.randint(2, shape, generator=rng).double() * 2 - 1


def simplex_points(mirror, rng, slack):
    parts = mirror.constraint.event_shape[0]
    share = logarithmic((ROWS, parts), rng, slack, 1)
    share = share / share.sum(1, keepdim=True)
    least = 1.01 * slack / (1 + slack * parts)
    return share * (1 - least * parts) + least


def box_points(mirror, rng, slack):
    return within_box(mirror.constraint, rng, slack)


def within_box(box, rng, slack):
    shape = (ROWS, *box.event_shape)
    away = logarithmic(shape, rng, 1.01 * slack * box.scale, 1e6)
    share = logarithmic(shape, rng, 1.01 * slack, 0.5)
    share = torch.where(torch.rand(shape, generator=rng) < 0.5, share, 1 - share)
    x = torch.where(torch.isfinite(box.upper), box.upper - away, signs(shape, rng) * away)
    x = torch.where(torch.isfinite(box.lower), box.lower + away, x)
    width = box.upper - box.lower
    return torch.where(torch.isfinite(width), box.lower + width * share, x)


def slabs_points(mirror, rng, slack):
    slabs = mirror.constraint
    shape = (ROWS, *slabs.event_shape)
    across = slabs.across(logarithmic(shape, rng, 1e-3 * slabs.scale, slabs.scale) * signs(shape, rng))
    along = within_box(slabs.bounds, rng, 3 * slack)  # in float32, a larger x is known to less than that slack
    return slabs.lifted(along.clamp(-2 * slabs.scale, 2 * slabs.scale)) + across


def ball_points(mirror, rng, slack):
    ball = mirror.constraint
    direction = torch.randn((ROWS, *ball.event_shape), generator=rng, dtype=torch.float64)
    slack = logarithmic((ROWS, 1), rng, 1.01 * slack, 1)
    return ball.center + direction / direction.norm(dim=1, keepdim=True) * (ball.radius - slack * ball.scale).relu()


def ellipsoid_points(mirror, rng, slack):
    ball = mirror.constraint.ball
    direction = torch.randn((ROWS, *ball.event_shape), generator=rng, dtype=torch.float64)
    slack = logarithmic((ROWS, 1), rng, 3 * slack, 1)
    return mirror.constraint.from_ball(direction / direction.norm(dim=1, keepdim=True) * ball.radius * (1 - slack))


def cone_points(mirror, rng, slack):
    (size,) = mirror.constraint.event_shape
    direction = torch.randn((ROWS, size - 1), generator=rng, dtype=torch.float64)
    large = logarithmic((ROWS, 1), rng, 0.2, 10)
    small = large * logarithmic((ROWS, 1), rng, 5 * slack, 1)
    return torch.cat([direction / direction.norm(dim=1, keepdim=True) * (large - small), large + small], 1) / 2


def ordered_points(mirror, rng, slack):
    (size,) = mirror.constraint.event_shape
    gaps = logarithmic((ROWS, size - 1), rng, 20 * slack, 3)  # the largest number may be 20
    return torch.cat([torch.randn((ROWS, 1), generator=rng, dtype=torch.float64), gaps], 1).cumsum(1)


def free_points(mirror, rng, slack):
    return logarithmic((ROWS, 2, 3), rng, 1e-6, 1e6) * signs((ROWS, 2, 3), rng)


def simplex_edge(mirror):
    parts = mirror.constraint.event_shape[0]
    rim = torch.full((1, parts), 1 / (parts - 1), dtype=torch.float64)
    rim[0, 0] = 0
    return torch.cat([torch.eye(parts, dtype=torch.float64), rim])


def box_edge(mirror):
    return corners(mirror.constraint)


def slabs_edge(mirror):
    slabs = mirror.constraint
    return slabs.lifted(corners(slabs.bounds).clamp(-100, 100)) + slabs.across(
        torch.ones(1, *slabs.event_shape).double()
    )


def corners(box):
    lower, upper = box.lower, box.upper
    return torch.stack(
        [torch.where(torch.isfinite(lower), lower, upper.clamp(max=7)), torch.where(torch.isfinite(upper), upper, 1e4)]
    )


def ball_edge(mirror):
    ball = mirror.constraint
    diagonal = torch.ones(ball.event_shape, dtype=torch.float64)
    return torch.stack([ball.center, ball.center + ball.radius * diagonal / diagonal.norm()])


def ellipsoid_edge(mirror):
    z = torch.ones(1, *mirror.constraint.event_shape, dtype=torch.float64)
    return mirror.constraint.from_ball(torch.cat([0 * z, z / z.norm() * mirror.constraint.radius]))


def cone_edge(mirror):
    (size,) = mirror.constraint.event_shape
    ray = torch.full((1, size), 1 / math.sqrt(size - 1), dtype=torch.float64)
    ray[:, -1] = 1
    return torch.cat([0 * ray, ray, 0.01 * ray])


def ordered_edge(mirror):
    (size,) = mirror.constraint.event_shape
    even = torch.ones(1, size, dtype=torch.float64)
    return torch.cat([even, torch.cat([even[:, 1:], 2 * even[:, :1]], 1), 0 * even])


def zero_sum(v):
    return v - v.mean(1, keepdim=True)


@attrs.frozen
class Subject:
    """A map, and what the properties need to know of it."""

    name: str
    build: Callable[[], tain.Legendre]
    points: Callable[[tain.Legendre, torch.Generator, float], Tensor]
    edge: Callable[[tain.Legendre], Tensor]
    tangent: Callable[[Tensor], Tensor] = lambda v: v
    chart: Callable[[Tensor], Tensor] = lambda u: u  # from as many numbers as a mirror image has, to the set
    exact_entries: bool = False  # round trips are relative to each entry of x, not to the scale
    fading: bool = False  # mirror images of the size 1 / slack, whose rounding errors cost digits near the boundary
    squares: bool = False  # the conjugate grows like a square, so overflows before 1e30

    def mixed(self, rng, dtype, slack=SLACK):
        """Points inside at random slacks from `slack` of the scale up, as `dtype`."""
        if self.fading and dtype == torch.float32:
            slack = max(slack, 1e-3)
        return self.points(self.build(), rng, slack).to(dtype)

    def gentle(self, rng, dtype):
        """The same, away from where float32 cannot hold a Hessian and its inverse at once."""
        return self.mixed(rng, dtype, SLACK if dtype == torch.float64 and not self.fading else 1e-2)

    def images(self, rng, dtype):
        """Any finite mirror images from 0 to 1e30 in size: each entry, or each row, of a size of its own."""
        shape = (ROWS, *self.build().mirror_shape(self.mixed(rng, dtype).shape[1:]))
        entries = logarithmic(shape, rng, 1e-30, 1e30) * signs(shape, rng)
        rows = torch.randn(shape, generator=rng, dtype=torch.float64).clamp(-1, 1)
        rows = rows * logarithmic((ROWS, *[1] * (len(shape) - 1)), rng, 1e-30, 1e30)
        one = torch.where(torch.rand(shape, generator=rng) < 0.3, entries, 0)
        special = torch.stack([torch.full(shape[1:], v, dtype=torch.float64) for v in (0, 1e30, -1e30, 1e-30)])
        return torch.cat([entries, rows, one, special]).to(dtype)


def simplex(parts, coordinates):
    return Subject(
        f"simplex-{parts}-{coordinates}",
        lambda: SimplexEntropy(Simplex(parts), coordinates),
        simplex_points,
        simplex_edge,
        tangent=zero_sum,
        chart=lambda u: torch.cat([u, 1 - u.sum(1, keepdim=True)], 1),
        exact_entries=True,
    )


def box(name, set_of, kind=BoxEntropy, **arguments):
    squares = not set_of().upper.isfinite().all()
    return Subject(f"box-{name}", lambda: kind(set_of(), **arguments), box_points, box_edge, squares=squares)


def ball(name, *arguments, **barrier):
    return Subject(f"ball-{name}", lambda: BallBarrier(Ball(*arguments), **barrier), ball_points, ball_edge)


def slabs(name, build, kind=SlabsEntropy, **arguments):
    fading = kind is SlabsBarrier
    return Subject(name, lambda: kind(build(), **arguments), slabs_points, slabs_edge, squares=True, fading=fading)


def unit_box():
    return Box((0.0,) * 5, (1.0,) * 5)


def mixed_box():
    return Box((0.0, -INF, -INF, 18.0, -0.3, 0.0), (INF, 2.5, INF, 100.0, 0.1, 1e-3))


def turned_slabs():
    return Slabs(turned(5)[:3], (-1.0, 2.0, -INF), (0.5, INF, 30.0))


def turned(size):
    """An orthogonal matrix with no entry of any special value."""
    return torch.linalg.qr(torch.randn((size, size), generator=source(11), dtype=torch.float64)).Q


def ellipsoid(name, *arguments, **barrier):
    return Subject(name, lambda: EllipsoidBarrier(Ellipsoid(*arguments), **barrier), ellipsoid_points, ellipsoid_edge)


def cone_map(size):
    return SecondOrderConeEntropy(SecondOrderCone(size))


def cone(size, power=1.0):
    def build():
        return SecondOrderConeBarrier(SecondOrderCone(size), power)

    return Subject(f"cone-{size}-{power}", build, cone_points, cone_edge, fading=True, squares=True)


SUBJECTS = [
    *(simplex(parts, how) for parts in (2, 6, 40) for how in ("isometric", "additive")),
    box("unit", unit_box),
    box("mixed", mixed_box),
    box("orthant", lambda: Orthant(3)),
    box("barrier-unit", unit_box, BoxBarrier, weight=0.5),
    box("barrier-mixed", mixed_box, BoxBarrier),
    box("barrier-half", lambda: Box((0.0, -3.0), (INF, INF)), BoxBarrier, weight=7.0),
    *(box(f"power-{power}", mixed_box, BoxBarrier, weight=2.0, power=power) for power in (0.1, 0.5, 0.9)),
    ball("line", 1, 2.0),
    *(ball(f"power-{power}", 3, 2.0, (1.0, 0.0, -0.5), beta=0.3, power=power) for power in (0.2, 0.5, 0.9)),
    ball("unit", 3, 1.0),
    ball("moved", 4, 3.0, (10.0, -0.1, 0.0, 2.0), beta=0.05),
    ball("tiny", 6, 1e-4, beta=20.0),
    ellipsoid("ellipsoid", ((2.0, 0.5), (0.5, 1.0)), 3.0, (1.0, -2.0), beta=0.5),
    ellipsoid("ellipsoid-power", ((2.0, 0.5), (0.5, 1.0)), 3.0, power=0.4),
    ellipsoid("ellipsoid-thin", ((1e4, 30.0, 0.0), (30.0, 2.0, 0.1), (0.0, 0.1, 1.0))),
    cone(2),
    cone(4),
    cone(4, power=0.3),
    cone(5, power=0.8),
    *(Subject(f"cone-entropy-{n}", partial(cone_map, n), cone_points, cone_edge, squares=True) for n in (2, 4)),
    slabs("half-space", lambda: HalfSpace((1.0, -2.0, 0.5), 3.0)),
    slabs("slabs", turned_slabs),
    slabs("slabs-barrier", turned_slabs, SlabsBarrier),
    slabs("slabs-power", turned_slabs, SlabsBarrier, power=0.3),
    slabs("slabs-full", lambda: Slabs(turned(3), (-0.1, 0.0, 0.0), (0.1, 1.0, INF))),
    *(
        Subject(f"ordered-{n}", lambda n=n: OrderedEntropy(Ordered(n)), ordered_points, ordered_edge, squares=True)
        for n in (2, 6, 12)
    ),
    Subject(
        "identity",
        lambda: Identity(Unconstrained(2)),
        free_points,
        lambda mirror: torch.zeros(1, 2, 3, dtype=torch.float64),
        squares=True,
    ),
]
DTYPES = [torch.float32, torch.float64]
each_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


def property_test(function):
    """Run for random seeds, each subject and both dtypes. Derandomised: the same examples in every run."""
    checked = given(seed=st.integers(0, 2**63 - 1))(function)
    return each_subject(each_dtype(settings(max_examples=15, deadline=None, derandomize=True, database=None)(checked)))


def normal_like(z, rng):
    return torch.randn(z.shape, generator=rng, dtype=torch.float64).to(z.dtype)


def close(found, expected, relative, scale=0.0):
    """Whether the largest error of each row is within `relative` of the row's largest entry, or of `scale`."""
    found, expected = (z.detach().double().reshape(len(z), -1) for z in (found, expected))
    error = (found - expected).abs().amax(1)
    size = expected.abs().amax(1).clamp(min=scale)
    assert torch.isfinite(found).all()
    assert (error <= relative * size).all(), f"relative errors {(error / size).tolist()}"


def precise(dtype):
    return 1e-8 if dtype == torch.float64 else 2e-3


@property_test
def test_inverse_undoes_forward(subject, dtype, seed):
    slack = SLACK if not subject.fading else 0.1 if dtype == torch.float32 else 0.01
    mirror, x = subject.build(), subject.mixed(source(seed), dtype, slack)
    relative = 1e-5 if dtype == torch.float32 else 1e-12
    returned = mirror.inverse(mirror.forward(x))
    if subject.exact_entries:
        close(returned.reshape(-1, 1), x.reshape(-1, 1), relative)
    else:
        close(returned, x, relative, mirror.constraint.scale)


@property_test
def test_forward_undoes_inverse(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    y = normal_like(mirror.forward(subject.mixed(rng, torch.float64)), rng).to(dtype)
    close(mirror.forward(mirror.inverse(y)), y, precise(dtype), scale=1.0 / mirror.constraint.scale)


@property_test
def test_inverse_is_in_the_set(subject, dtype, seed):
    mirror, y = subject.build(), subject.images(source(seed), dtype)
    x = mirror.inverse(y)
    assert torch.isfinite(x).all()
    assert (mirror.constraint.distance(x) <= 4 * torch.finfo(dtype).eps * mirror.constraint.scale).all()
    assert torch.isfinite(mirror.forward(x)).all()


@property_test
def test_forward_is_the_gradient_of_the_potential(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype).requires_grad_()
    (slope,) = torch.autograd.grad(mirror.potential(x).sum(), x)
    y = mirror.forward(x)
    for _ in range(3):
        v = subject.tangent(normal_like(x, rng))
        along = (slope * v).flatten(1).sum(1)
        close(mirror.pairing(v, y), along, precise(dtype), scale=(slope * v).abs().max())


@property_test
def test_inverse_is_the_gradient_of_the_conjugate(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    y = mirror.forward(subject.mixed(rng, dtype)).detach().requires_grad_()
    (slope,) = torch.autograd.grad(mirror.conjugate(y).sum(), y)
    x = mirror.inverse(y)
    for _ in range(3):
        w = normal_like(y, rng)
        along = (slope * w).flatten(1).sum(1)
        close(mirror.pairing(x, w), along, precise(dtype), scale=(slope * w).abs().max())


@property_test
def test_fenchel_equality(subject, dtype, seed):
    mirror, x = subject.build(), subject.mixed(source(seed), dtype)
    y = mirror.forward(x)
    terms = torch.stack([mirror.potential(x), mirror.conjugate(y), -mirror.pairing(x, y)], 1)
    size = terms.abs().amax(1) + (x.abs().flatten(1).amax(1) * y.abs().flatten(1).amax(1))
    assert (terms.sum(1).abs() <= 60 * torch.finfo(dtype).eps * (size + 1)).all()


@property_test
def test_fenchel_inequality_and_monotonicity(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x, other = subject.mixed(rng, dtype), subject.mixed(rng, dtype)
    y, far = mirror.forward(x), mirror.forward(other)
    rounding = 60 * torch.finfo(dtype).eps
    size = (1 + x.abs().amax() + other.abs().amax()) * (1 + y.abs().amax() + far.abs().amax())
    assert (mirror.potential(x) + mirror.conjugate(far) - mirror.pairing(x, far) >= -rounding * size).all()
    assert (mirror.pairing(x - other, y - far) >= -rounding * size).all()


@property_test
def test_hessian_vector_is_the_derivative_of_forward(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    v = subject.tangent(normal_like(x, rng))
    _, expected = jvp(mirror.forward, x, v)
    close(mirror.hessian_vector(x, v), expected, precise(dtype))


@property_test
def test_inverse_hessian_vector_is_the_derivative_of_inverse(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.gentle(rng, dtype)
    y = mirror.forward(x)
    w = normal_like(y, rng)
    _, expected = jvp(mirror.inverse, y, w)
    close(mirror.inverse_hessian_vector(mirror.inverse(y), w), expected, precise(dtype), scale=1e-6 * SLACK)


@property_test
def test_hessian_vectors_undo_each_other(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.gentle(rng, dtype)
    v = subject.tangent(normal_like(x, rng))
    close(mirror.inverse_hessian_vector(x, mirror.hessian_vector(x, v)), v, precise(dtype))


@property_test
def test_hessian_is_symmetric_and_positive(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    v, w = (subject.tangent(normal_like(x, rng)) for _ in range(2))
    Hv, Hw = mirror.hessian_vector(x, v), mirror.hessian_vector(x, w)
    assert (mirror.pairing(v, Hv) > 0).all()
    size = float((mirror.pairing(v, Hv) * mirror.pairing(w, Hw)).sqrt().max())
    close(mirror.pairing(v, Hw), mirror.pairing(w, Hv), precise(dtype), scale=size)


@each_subject
@each_dtype
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**63 - 1))
def test_log_det_is_that_of_the_jacobian(subject, dtype, seed):
    mirror = subject.build()
    x = subject.gentle(source(seed), dtype)
    for row in x[:3]:
        leading = row.flatten()[: math.prod(mirror.mirror_shape(tuple(row.shape)))]

        def image(u, shape=row.shape):
            return mirror.forward(subject.chart(u[None]).reshape(1, *shape)).flatten()

        expected = torch.linalg.slogdet(jacobian(image, leading).double()).logabsdet
        close(mirror.log_det(row[None]), expected[None], 1e-8 if dtype == torch.float64 else 1e-3, scale=1.0)


def outputs(mirror, x, y, v, w):
    """Everything that a map computes of a batch of points and one of images, by name."""
    return {
        "forward": mirror.forward(x),
        "inverse": mirror.inverse(y),
        "potential": mirror.potential(x),
        "conjugate": mirror.conjugate(y),
        "log_det": mirror.log_det(x),
        "hessian_vector": mirror.hessian_vector(x, v),
        "inverse_hessian_vector": mirror.inverse_hessian_vector(x, w),
        "pairing": mirror.pairing(x, y),
    }


@property_test
def test_each_row_on_its_own_and_nothing_in_place(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    x = subject.mixed(rng, dtype)
    y = mirror.forward(subject.mixed(rng, dtype))
    batch = (x, y, subject.tangent(normal_like(x, rng)), normal_like(y, rng))
    before = [z.clone() for z in batch]
    whole = outputs(mirror, *batch)
    assert all(torch.equal(z, copy) for z, copy in zip(batch, before, strict=True))

    others = [torch.cat([z[:1], z[1:].flip(0)]) for z in batch]
    for name, value in outputs(mirror, *others).items():
        assert torch.equal(value[0], whole[name][0]), f"{name} of row 0 changed with its neighbours"
    for name, value in outputs(mirror, *(z[:1] for z in batch)).items():  # other kernels may sum in another order
        close(value, whole[name][:1], 1e-12 if dtype == torch.float64 else 1e-4, scale=1e-3)
    for name, value in outputs(mirror, *(z[:0] for z in batch)).items():
        assert value.shape == (0, *whole[name].shape[1:])
        assert value.dtype == dtype


@each_subject
@each_dtype
def test_results_and_gradients_are_finite_on_the_boundary(subject, dtype):
    mirror = subject.build()
    x = subject.edge(mirror).to(dtype).requires_grad_()
    rng = source(0)
    v = subject.tangent(normal_like(x, rng))
    for function in (mirror.forward, mirror.potential, mirror.log_det, lambda z: mirror.hessian_vector(z, v)):
        value = function(x)
        assert torch.isfinite(value).all()
        if value.requires_grad:  # a Hessian may be constant
            (slope,) = torch.autograd.grad(value.sum(), x)
            assert torch.isfinite(slope).all()
    y = mirror.forward(x).detach()
    w = normal_like(y, rng)
    assert torch.isfinite(mirror.inverse_hessian_vector(x, w)).all()
    relative = 4 * math.sqrt(torch.finfo(dtype).eps) if subject.fading else 1e-5 if dtype == torch.float32 else 1e-12
    close(mirror.inverse(y), x, relative, mirror.constraint.scale)


@property_test
def test_gradients_of_inverse_and_conjugate_are_finite(subject, dtype, seed):
    mirror, rng = subject.build(), source(seed)
    y = subject.images(rng, dtype).requires_grad_()
    x = mirror.inverse(y)
    weights = normal_like(x, rng)
    (slope,) = torch.autograd.grad((weights * x).sum(), y)
    assert torch.isfinite(slope).all()
    value = mirror.conjugate(y)
    finite = torch.isfinite(value)
    assert finite.all() or subject.squares
    (slope,) = torch.autograd.grad(value[finite].sum(), y)
    assert torch.isfinite(slope).all()


@each_subject
@each_dtype
def test_derivative_of_inverse_at_zero(subject, dtype):
    """The places where abs, max or a norm inside a formula could silently give a zero gradient."""
    mirror, rng = subject.build(), source(1)
    y = torch.zeros_like(mirror.forward(subject.mixed(rng, dtype)))
    w = normal_like(y, rng)
    _, expected = jvp(mirror.inverse, y, w)
    close(mirror.inverse_hessian_vector(mirror.inverse(y), w), expected, 1e-5, scale=1e-9)


@each_subject
def test_float64_accuracy_survives_float(subject):
    """Constants are float64 whatever is done to the module, so float64 samples get float64 results."""
    mirror, cast = subject.build(), subject.build().half().float()
    x = subject.mixed(source(2), torch.float64)
    assert torch.equal(mirror.forward(x), cast.forward(x))
    assert not list(mirror.state_dict())


@each_subject
@each_dtype
def test_saved_and_loaded(subject, dtype, tmp_path):
    mirror = subject.build()
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    x = subject.mixed(source(3), dtype)
    assert type(loaded) is type(mirror)
    assert torch.equal(loaded.forward(x), mirror.forward(x))
    assert torch.equal(loaded.inverse(mirror.forward(x)), mirror.inverse(mirror.forward(x)))


@each_subject
@each_dtype
def test_points_outside_are_refused_by_row(subject, dtype):
    mirror = subject.build()
    x = subject.mixed(source(4), dtype)
    x[2] = torch.nan
    with pytest.raises(tain.OutsideSetError, match=r"1 of 7 samples are outside, the worst row 2 by (nan|inf)"):
        mirror.forward(x)


@each_subject
def test_shapes(subject):
    mirror = subject.build()
    shape = tuple(subject.mixed(source(5), torch.float32).shape[1:])
    assert mirror.forward(subject.mixed(source(5), torch.float32)).shape[1:] == mirror.mirror_shape(shape)
    assert mirror.primal_shape(mirror.mirror_shape(shape)) == shape


def test_points_a_little_outside_are_taken_as_on_the_boundary():
    step = torch.finfo(torch.float32).eps
    mirror = BoxEntropy(Box((0.0,), (1.0,)))
    assert torch.isfinite(mirror.forward(torch.tensor([[1 + 2 * step], [-step]]))).all()
    assert torch.isfinite(BallBarrier(Ball(1, 1.0)).forward(torch.tensor([[1 + 2 * step]]))).all()
    assert torch.isfinite(SimplexEntropy(Simplex(2)).forward(torch.tensor([[1 + step, -step]]))).all()
    with pytest.raises(tain.OutsideSetError, match=r"row 1 by 0\.5"):
        mirror.forward(torch.tensor([[0.5], [1.5]]))


@pytest.mark.parametrize("coordinates", ["isometric", "additive"])
def test_many_parts_stay_in_the_simplex(coordinates):
    rng = source(6)
    mirror = SimplexEntropy(Simplex(4096), coordinates)
    for spread in (0.0, 0.1, 5.0, 100.0):
        y = torch.randn((8, 4095), generator=rng) * spread
        x = mirror.inverse(y)
        assert (mirror.constraint.distance(x) <= 4 * torch.finfo(torch.float32).eps).all()
        assert (mirror.constraint.distance(x.double()) <= 4 * torch.finfo(torch.float32).eps).all()
    x = mirror.constraint.interior(8, rng=rng)
    close(mirror.inverse(mirror.forward(x)).reshape(-1, 1), x.reshape(-1, 1), 1e-5)


def test_isometric_coordinates_are_isometric():
    """|y - z| is Aitchison's distance, that of the logarithms less their means."""
    simplex = Simplex(7)
    mirror = SimplexEntropy(simplex)
    x, z = (simplex.interior(20, rng=seed, dtype=torch.float64) for seed in (7, 8))
    centred = zero_sum(x.log()) - zero_sum(z.log())
    torch.testing.assert_close((mirror(x) - mirror(z)).norm(dim=1), centred.norm(dim=1))


@each_dtype
def test_bounds_of_a_box_are_reached_and_never_crossed(dtype):
    rng = source(9)
    bounds = torch.randn((1000, 2), generator=rng, dtype=torch.float64).sort(1).values
    mirror, (lower, upper) = BoxEntropy(Box(*map(tuple, bounds.T.tolist()))), bounds.to(dtype).T
    y = torch.full((1, 1000), 1e30, dtype=dtype)
    low, high = mirror.inverse(-y)[0], mirror.inverse(y)[0]
    rounding = 2 * torch.finfo(dtype).eps * bounds.abs().amax(1)
    assert ((low >= lower) & (low - lower <= rounding)).all()
    assert ((high <= upper) & (upper - high <= rounding)).all()


@each_dtype
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_digits_are_kept_next_to_a_bound_at_zero(dtype, sign):
    mirror = BoxEntropy(Box((min(0.0, sign),), (max(0.0, sign),)))
    x = sign * torch.logspace(-25, -1, 49, dtype=dtype)[:, None]
    close(mirror.inverse(mirror.forward(x)), x, 1e-5 if dtype == torch.float32 else 1e-12)
