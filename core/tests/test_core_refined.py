"""Refined maps: points that miss the set are brought onto it by steps on the rule itself, each on its own."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

import tain
from tain.jacobian import Jacobian, shortest
from tain.testing import run_checks
from tain.testing.examples import refined
from tain.testing.parabola import Parabola, Unchanged
from tain.testing.subjects import Subject

DTYPES = (torch.float32, torch.float64)


class Sphere(tain.Residual):
    """Vectors of length 1, by an equation of their square; the distance is Euclidean."""

    event_ndim = 1

    def residual(self, x):
        return x.square().sum(1, keepdim=True) - 1

    def distance(self, x):
        return (x.norm(dim=1) - 1).abs()


class Plane(tain.Projectable, tain.Residual):
    """Images with given sums over each column."""

    event_ndim = 3

    def residual(self, x):
        return (x.sum(2) - 1).flatten(1)

    def distance(self, x):
        return (x - self.project(x)).flatten(1).norm(dim=1)

    def project(self, x):
        return x - (x.sum(2, keepdim=True) - 1) / x.shape[2]


class Ball(tain.Constraint):
    """A ball, known by its distance alone."""

    event_ndim = 1

    def distance(self, x):
        return (x.norm(dim=1) - 1).relu()


class Wave(tain.Constraint):
    """Neither convex nor smooth: points below a zigzag, by a distance that is not Euclidean."""

    event_ndim = 1

    def distance(self, x):
        return (x[:, 1] - (3 * x[:, 0]).sin().abs()).relu()


class Contradiction(tain.Residual):
    """Two equations that cannot hold at once, x = 0 and x = 1, and one that tells nothing."""

    event_ndim = 1

    def residual(self, x):
        return torch.cat([x, x - 1, 0 * x], 1)

    def distance(self, x):
        return self.residual(x).abs().sum(1)


class Projection(tain.Projective):
    """The projection onto the set of a rule."""

    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        self.constraint.require(x)
        return x

    def inverse(self, y):
        return self.constraint.project(y)


class Rough(tain.Learned):
    """A learned map of the sphere, whose inverse is off by a factor that is learned."""

    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint, self.event_shape = constraint, (3,)
        self.factor = nn.Parameter(torch.tensor(1.25))

    def forward(self, x):
        self.constraint.require(x)
        return x

    def inverse(self, y):
        return self.factor * y

    def loss(self, x, *, rng=None):
        return (self.inverse(self.forward(x)) - x).square().sum(1)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


SHAPES = {Sphere: (4,), Plane: (2, 3, 4), Ball: (4,), Wave: (2,), Contradiction: (1,), Parabola: (3,)}
ARRIVING = (Sphere, Plane, Ball, Parabola)
draws = given(st.integers(0, 2**31), st.sampled_from(DTYPES), st.sampled_from([0.01, 1.0, 3.0]))


# -- what refine promises ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ARRIVING)
@draws
@settings(deadline=None, max_examples=25)
def test_points_arrive_on_the_set(rule, seed, dtype, size):
    x = size * normal(5, *SHAPES[rule], seed=seed, dtype=dtype)
    found = tain.refine(rule(), x, steps=50)
    tolerance = 8 * torch.finfo(dtype).eps * max(rule.scale, 10 * size)
    assert rule().contains(found, tolerance).all(), rule().explain(found, tolerance)


@pytest.mark.parametrize("rule", SHAPES)
@draws
@settings(deadline=None, max_examples=25)
def test_no_point_ends_farther_and_those_near_enough_stay(rule, seed, dtype, size):
    rule = rule()
    x = size * normal(8, *SHAPES[type(rule)], seed=seed, dtype=dtype)
    before = rule.distance(x)
    limit = float(before.median())
    found = tain.refine(rule, x, steps=3, tolerance=limit)
    assert (rule.distance(found) <= before).all()
    near = before <= limit
    assert near.any()
    assert torch.equal(found[near], x[near])
    again = tain.refine(rule, found, tolerance=float(rule.distance(found).max()))
    assert torch.equal(again, found)


@pytest.mark.parametrize("rule", SHAPES)
@draws
@settings(deadline=None, max_examples=15)
def test_a_row_is_refined_as_if_it_were_alone(rule, seed, dtype, size):
    x = size * normal(6, *SHAPES[rule], seed=seed, dtype=dtype)
    together = tain.refine(rule(), x)
    alone = torch.cat([tain.refine(rule(), row[None]) for row in x])
    assert torch.equal(together, alone)
    assert torch.equal(tain.refine(rule(), x.flip(0)), together.flip(0))


def test_more_rows_than_are_refined_at_once():
    x = normal(600, 3)
    found = tain.refine(Sphere(), x)
    assert Sphere().contains(found).all()
    assert torch.equal(found[550:], tain.refine(Sphere(), x[550:]))


@draws
@settings(deadline=None, max_examples=25)
def test_of_linear_equations_one_step_is_the_projection(seed, dtype, size):
    x = size * normal(5, 2, 3, 4, seed=seed, dtype=dtype)
    found = tain.refine(Plane(), x, steps=1)
    torch.testing.assert_close(found, Plane().project(x), rtol=0, atol=30 * torch.finfo(dtype).eps * max(1, size))


@draws
@settings(deadline=None, max_examples=25)
def test_of_a_distance_that_is_euclidean_one_step_is_the_projection(seed, dtype, size):
    x = size * normal(5, 4, seed=seed, dtype=dtype)
    projected = x / x.norm(dim=1, keepdim=True).clamp(min=1)
    atol = 30 * torch.finfo(dtype).eps * max(1, size)
    torch.testing.assert_close(tain.refine(Ball(), x, steps=1), projected, rtol=0, atol=atol)


def test_a_step_is_that_of_gauss_and_newton():
    x = normal(1, 3)
    a, b, c = x[0].tolist()
    jacobian = torch.tensor([[[-2 * a, 1, 0], [-b, -a, 1]]], dtype=torch.float64)
    values = torch.tensor([[b - a * a, c - a * b]], dtype=torch.float64)
    step = -torch.linalg.pinv(jacobian) @ values[..., None]
    assert Parabola().residual(x + step[..., 0]).norm() < values.norm()  # else it would have been halved
    torch.testing.assert_close(tain.refine(Parabola(), x, steps=1), x + step[..., 0], rtol=1e-7, atol=0)


def test_a_step_of_a_distance_is_that_of_polyak():
    x = torch.tensor([[0.2, 2.0]], dtype=torch.float64)
    slope = torch.tensor([[-3 * math.cos(0.6), 1.0]], dtype=torch.float64)
    distance = 2 - math.sin(0.6)
    expected = x - distance * slope / slope.square().sum()
    assert Wave().distance(expected) < distance
    torch.testing.assert_close(tain.refine(Wave(), x, steps=1), expected, rtol=1e-14, atol=0)


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 6), st.integers(0, 6))
@settings(deadline=None, max_examples=50)
def test_the_shortest_solution_of_any_linear_equations(seed, rows, columns, rank):
    """As by the pseudoinverse: too few equations or too many, dependent ones and such as contradict each other."""
    left, right = normal(3, rows, rank, seed=seed), normal(3, rank, columns, seed=seed + 1)
    matrix, wanted = left @ right, normal(3, rows, seed=seed + 2)

    class Linear(tain.Residual):
        event_ndim = 1

        def residual(self, x):
            return (matrix @ x[..., None])[..., 0]

        def distance(self, x):
            return self.residual(x).norm(dim=1)

    inverse = torch.linalg.pinv(matrix, rtol=1e-10)
    expected = (inverse @ wanted[..., None])[..., 0]
    found = shortest(Jacobian(Linear(), normal(3, columns)), wanted)
    # The iteration stops at a half of the digits; where the matrix is all but singular, fewer of them tell anything.
    condition = float((torch.linalg.matrix_norm(matrix, 2) * torch.linalg.matrix_norm(inverse, 2)).max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7 * max(1.0, condition**2) * float(expected.norm()))


# -- where there is no way, or no number ---------------------------------------------------------------------------


def test_where_the_gradient_is_zero_a_point_stays_and_is_told():
    x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    found = tain.refine(Sphere(), x)
    assert torch.equal(found[0], x[0])
    assert Sphere().explain(found).rows == (0,)


def test_equations_that_contradict_each_other_end_between_them():
    found = tain.refine(Contradiction(), torch.tensor([[3.0], [0.25]]))
    assert found[0] == pytest.approx(0.5)
    assert Contradiction().explain(found).rows == (0, 1)


def test_a_step_that_overshoots_is_halved():
    @tain.constraint("arctangent", event_ndim=1)
    def arctangent(x):
        return x[:, 0].arctan().abs()

    x = torch.tensor([[4.0], [-30.0]], dtype=torch.float64)  # from there Newton's own steps lead ever farther away
    assert (x - x.arctan() * (1 + x.square())).abs().min() > 4
    assert arctangent.contains(tain.refine(arctangent, x, steps=30)).all()


@pytest.mark.parametrize("rule", [Sphere, Ball, Parabola])
def test_rows_that_are_no_numbers_stay_and_disturb_no_other(rule):
    x = 3 * normal(5, *SHAPES[rule])
    expected = tain.refine(rule(), x)
    x[1, 0], x[3] = math.nan, math.inf
    found = tain.refine(rule(), x)
    torch.testing.assert_close(found[[1, 3]], x[[1, 3]], rtol=0, atol=0, equal_nan=True)
    assert torch.equal(found[[0, 2, 4]], expected[[0, 2, 4]])
    assert rule().explain(found, 1e-6).rows == (1, 3)


def test_numbers_too_large_for_their_squares_stay_or_come_nearer():
    x = torch.tensor([[1e30, 0.0], [2.0, 0.0]])
    found = tain.refine(Sphere(), x)
    assert torch.equal(found, torch.tensor([[1e30, 0.0], [1.0, 0.0]]))


@pytest.mark.parametrize("rule", SHAPES)
def test_an_empty_batch(rule):
    x = torch.empty(0, *SHAPES[rule], requires_grad=True)
    found = tain.refine(rule(), x)
    assert found.shape == x.shape
    found.sum().backward()
    assert x.grad.shape == x.shape


def test_samples_that_are_single_numbers():
    class Root(tain.Constraint):
        event_ndim = 0

        def distance(self, x):
            return (x.square() - 4).abs()

    x = torch.tensor([3.0, -1.0, 2.0], requires_grad=True)
    found = tain.refine(Root(), x)
    torch.testing.assert_close(found, torch.tensor([2.0, -2.0, 2.0]))
    found.sum().backward()
    assert x.grad.shape == (3,)


def test_what_cannot_be_refined_is_refused_by_name():
    x = normal(2, 3)
    for arguments, message in (
        ({"steps": 0}, "refine: 'steps' is 0, but must be at least 1"),
        ({"steps": 2.5}, r"refine: 'steps' is 2.5 \(float\), but must be an int"),
        ({"tolerance": -1.0}, "refine: 'tolerance' is -1.0, but must be at least 0"),
        ({"tolerance": math.nan}, "refine: 'tolerance' is nan, but must be a number"),
    ):
        with pytest.raises(tain.ConfigurationError, match=message):
            tain.refine(Sphere(), x, **arguments)
        with pytest.raises(tain.ConfigurationError, match=message.replace("refine", "Refined")):
            tain.Refined(Unchanged(Sphere()), **arguments)
    with pytest.raises(tain.ShapeError, match="Sphere: samples have shape"):
        tain.refine(Sphere(), x[None])

    @tain.constraint("detached", event_ndim=1)
    def detached(x):
        return x.detach().abs().sum(1)

    with pytest.raises(tain.ConfigurationError, match=r"^Detached.distance: is cut off from its input"):
        tain.refine(detached, x)


def test_a_distance_needs_no_second_derivative():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.square()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, slope):
            return 2 * ctx.saved_tensors[0] * slope

    @tain.constraint("once", event_ndim=1)
    def once(x):
        return (Once.apply(x).sum(1) - 1).abs()

    assert once.contains(tain.refine(once, normal(5, 3))).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_in_any_mode_of_autograd_the_points_are_the_same(mode):
    x = normal(3, 3)
    expected = tain.refine(Parabola(), x)
    with mode():
        found = tain.refine(Parabola(), x.clone())
    assert torch.equal(found, expected)
    assert not found.requires_grad


def test_under_autocast_no_digit_is_lost():
    x = normal(3, 4, dtype=torch.float32)

    class Product(Sphere):
        def residual(self, x):
            return (x[:, None] @ x[..., None])[:, 0] - 1

    with torch.autocast("cpu", torch.bfloat16):
        found = tain.refine(Product(), x)
    assert Product().contains(found, 1e-6).all()


# -- its gradient --------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=20)
def test_the_gradient_is_that_of_the_nearest_point_to_first_order(seed):
    """Of linear equations it is exact; on a curved set, at its points."""
    x = normal(3, 2, 3, 4, seed=seed).requires_grad_()
    weights = normal(3, 2, 3, 4, seed=seed + 1)
    (found,) = torch.autograd.grad((weights * tain.refine(Plane(), x)).sum(), x)
    (expected,) = torch.autograd.grad((weights * Plane().project(x)).sum(), x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    on = nn.functional.normalize(normal(3, 4, seed=seed)).requires_grad_()
    (found,) = torch.autograd.grad((weights.flatten(1)[:, :4] * tain.refine(Sphere(), on)).sum(), on)
    (expected,) = torch.autograd.grad((weights.flatten(1)[:, :4] * nn.functional.normalize(on)).sum(), on)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)


def test_inside_of_a_set_the_gradient_passes():
    x = torch.tensor([[0.25, 0.5], [math.nan, 1.0]], requires_grad=True)
    tain.refine(Ball(), x).sum().backward()
    assert torch.equal(x.grad[0], torch.ones(2))


def test_it_cannot_be_differentiated_twice_and_says_so():
    x = normal(1, 3).requires_grad_()
    (slope,) = torch.autograd.grad(tain.refine(Sphere(), x)[0, 0].square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


# -- the map -------------------------------------------------------------------------------------------------------


@pytest.fixture
def named(core_alone):
    for kind, made in (
        *(("constraint", made) for made in (Sphere, Plane, Ball, Parabola)),
        *(("mirror-map", made) for made in (Unchanged, Projection, Rough)),
    ):
        tain.register(kind, tain.Component(made.__name__.lower(), made))


def planes(n, *, rng=None, dtype=None):
    return Plane().project(torch.randn((n, 2, 3, 4), generator=rng, dtype=dtype))


def well_inside(n, *, rng=None, dtype=None):
    return torch.rand((n, 4), generator=rng, dtype=dtype) / 4


SUBJECTS = [
    *refined()[1:],
    Subject(tain.Refined(Projection(Plane())), event_shape=(2, 3, 4), points=planes, largest_image=1.0),
    Subject(tain.Refined(Unchanged(Ball())), points=well_inside, largest_image=1e3),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=["curve", "projection", "ball"])
def test_the_kit_finds_no_fault(named, subject):
    report = run_checks(subject)
    assert report.failed == {}
    assert {"checkpoint-round-trip", "inverse-is-inside", "one-row-alone", "gradients-agree-with-differences"} <= {
        *report.passed
    }


def test_what_is_exact_already_stays_to_the_bit():
    mirror, y = Projection(Plane()), normal(5, 2, 3, 4, dtype=torch.float32)
    assert torch.equal(tain.Refined(mirror, tolerance=1e-5).inverse(y), mirror.inverse(y))


def test_a_map_that_misses_is_mended_and_keeps_its_images_and_weights(named, tmp_path):
    rough = Rough(Sphere())
    mirror, y = tain.Refined(rough, steps=7, tolerance=1e-6), normal(5, 3, dtype=torch.float32)
    assert not Sphere().contains(rough.inverse(y), 1e-6).any()
    assert Sphere().contains(mirror.inverse(y), 1e-6).all()
    on = nn.functional.normalize(y)
    assert torch.equal(mirror.forward(on), rough.forward(on))
    assert mirror.constraint is rough.constraint
    assert [*mirror.parameters()] == [rough.factor]
    for capability in (tain.Learned, tain.Bijective, tain.Projective, tain.Potential):
        assert not tain.supports(mirror, capability)
    weights = normal(5, 3, dtype=torch.float32)
    (mirror.inverse(y) * weights).sum().backward()
    assert torch.isfinite(rough.factor.grad)
    tain.save(mirror, tmp_path / "m")
    loaded = tain.load(tmp_path / "m")
    assert (loaded.steps, loaded.tolerance) == (7, 1e-6)
    assert torch.equal(loaded.inverse(y), mirror.inverse(y))
    assert torch.equal(copy.deepcopy(mirror).inverse(y), mirror.inverse(y))


def test_shapes_are_those_of_the_map():
    class Flat(Unchanged.__base__):
        def __init__(self):
            super().__init__()
            self.constraint = Plane()

        def forward(self, x):
            return x.flatten(1)

        def inverse(self, y):
            return y.reshape(-1, 2, 3, 4)

        def mirror_shape(self, event_shape):
            return (math.prod(event_shape),)

        def primal_shape(self, mirror_shape):
            return (2, 3, 4)

    mirror = tain.Refined(Flat())
    assert mirror.mirror_shape((2, 3, 4)) == (24,)
    assert mirror.primal_shape((24,)) == (2, 3, 4)
    assert Plane().contains(mirror.inverse(normal(3, 24))).all()


def test_few_steps_bring_a_point_nearer_only():
    y = torch.tensor([[1.0, 3.0, -2.0]], dtype=torch.float64)
    distances = [
        Parabola().distance(tain.Refined(Unchanged(Parabola()), steps=steps).inverse(y)).item() for steps in range(1, 7)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 1e-3
    assert distances[-1] < 1e-12
