"""All solvers: right moments, samples inside, chains on their own, and what is refused."""

import math

import pytest
import torch

import tain
from tain.testing.gaussian import Anything, Identity
from tain_analytic import (
    Ball,
    BallBarrier,
    Box,
    BoxBarrier,
    BoxEntropy,
    Correlation,
    EuclideanProjection,
    PartialCorrelations,
    Polytope,
    PolytopeBarrier,
    PositiveDefinite,
    Simplex,
    SimplexEntropy,
    Sphere,
    VonNeumannEntropy,
)
from tain_langevin import DualLangevin, HitAndRun, MirrorLangevin, ProjectedLangevin, standard_error
from tain_langevin.coordinates import Coordinates

DOUBLE = torch.float64
QUICK = {"chains": 32, "draws": 400, "warmup": 200}
EXACT = [DualLangevin, MirrorLangevin, HitAndRun]


def interior(rule, n=32, dtype=DOUBLE):
    return rule.interior(n, rng=7, dtype=dtype)


def concentrated(parts):
    a = torch.linspace(1.5, 4, parts, dtype=DOUBLE)
    mean = a / a.sum()
    covariance = (mean.diag() - mean[:, None] * mean) / (a.sum() + 1)
    return lambda x: ((a - 1) * x.log()).sum(1), mean, covariance


def truncated_normal(mean, low, high):
    """Mean and variance of a normal number of deviation 1 between two bounds, by quadrature."""
    t = torch.linspace(low, high, 100001, dtype=DOUBLE)
    w = (-((t - mean) ** 2) / 2).exp()
    first = (w * t).sum() / w.sum()
    return first, (w * (t - first) ** 2).sum() / w.sum()


def box_target(d=4):
    centres = torch.linspace(-1, 2, d, dtype=DOUBLE)
    moments = [truncated_normal(float(c), 0.0, 1.0) for c in centres]
    mean, variance = (torch.stack(parts) for parts in zip(*moments, strict=True))
    return lambda x: -(x - centres).square().sum(1) / 2, mean, variance.diag()


def ball_target(d=3, precision=4.0):
    r = torch.linspace(0, 1, 100001, dtype=DOUBLE)
    w = r ** (d - 1) * (-precision * r.square() / 2).exp()
    variance = (w * r.square()).sum() / w.sum() / d
    return lambda x: -precision * x.square().sum(1) / 2, torch.zeros(d, dtype=DOUBLE), variance * torch.eye(d).double()


def require_moments(solution, chains, mean, covariance, limit=4.0):
    """Means and covariances within `limit` standard errors: 4 of some dozens are exceeded by chance once in 300."""
    draws = solution.result.unflatten(0, (chains, -1))
    z = (solution.result.mean(0) - mean) / solution.statistics["standard_error"]
    away = draws - mean
    products = away[..., :, None] * away[..., None, :]
    w = (products.mean((0, 1)) - covariance) / standard_error(products)
    assert z.abs().max() < limit
    assert w.abs().max() < limit


CASES = {
    "simplex": (SimplexEntropy(Simplex(4)), concentrated(4)),
    "simplex-additive": (SimplexEntropy(Simplex(3), "additive"), concentrated(3)),
    "box": (BoxEntropy(Box((0.0,) * 4, (1.0,) * 4)), box_target()),
    "box-barrier": (BoxBarrier(Box((0.0,) * 4, (1.0,) * 4)), box_target()),
    "ball": (BallBarrier(Ball(3, 1.0)), ball_target()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solver", EXACT)
def test_moments_are_right_and_samples_inside(solver, case):
    mirror, (log_prob, mean, covariance) = CASES[case]
    found = solver(**QUICK, start=interior(mirror.constraint)).solve(tain.Target(log_prob, mirror), rng=0)
    assert mirror.constraint.contains(found.result).all()
    assert len(found.result) == 32 * 400
    require_moments(found, 32, mean, covariance)


def test_uniform_points_of_a_triangle():
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    target = tain.Target(lambda x: 0 * x.sum(1), PolytopeBarrier(triangle))
    mean, covariance = torch.full((2,), 1 / 3), torch.tensor([[1 / 18, -1 / 36], [-1 / 36, 1 / 18]])
    for solver in EXACT:
        found = solver(chains=16, draws=200, warmup=100, start=interior(triangle, 16)).solve(target, rng=1)
        assert triangle.contains(found.result).all()
        require_moments(found, 16, mean, covariance)


@pytest.mark.parametrize(
    "mirror", [PartialCorrelations(Correlation(3)), VonNeumannEntropy(PositiveDefinite(2))], ids=["bijective", "matrix"]
)
def test_matrices_are_samples_too(mirror):
    rule = mirror.constraint
    n = rule.event_shape[0]

    def log_prob(x):
        return x.double().logdet() - x.diagonal(dim1=1, dim2=2).sum(1)

    found = DualLangevin(**QUICK, start=interior(rule)).solve(tain.Target(log_prob, mirror), rng=0)
    assert found.result.shape == (32 * 400, n, n)
    assert rule.contains(found.result).all()
    if isinstance(mirror, VonNeumannEntropy):  # Wishart's, |X|^((df - n - 1) / 2) exp(-tr X): df 5, mean df / 2
        z = (found.result.mean(0) - 2.5 * torch.eye(2)) / found.statistics["standard_error"]
        assert z.abs().max() < 4
        also = MirrorLangevin(**QUICK, start=interior(rule)).solve(tain.Target(log_prob, mirror), rng=0)
        z = (also.result.mean(0) - 2.5 * torch.eye(2)) / also.statistics["standard_error"]
        assert z.abs().max() < 4


@pytest.mark.parametrize("substeps", [1, 4])
def test_without_a_decision_moments_come_near(substeps):
    mirror, (log_prob, mean, covariance) = CASES["ball"]
    start = interior(mirror.constraint)
    plan = {"chains": 64, "draws": 200, "warmup": 200, "thin": 8, "adjusted": False}
    solver = MirrorLangevin(**plan, substeps=substeps, step_size=0.03, start=start)
    found = solver.solve(tain.Target(log_prob, mirror), rng=0)
    assert mirror.constraint.contains(found.result).all()
    assert (found.result.mean(0) - mean).abs().max() < 5 * found.statistics["standard_error"].max()
    assert (torch.cov(found.result.T) - covariance).abs().max() < 0.15 * covariance.max()


def test_projected_samples_are_inside_and_near():
    mirror, (log_prob, mean, _) = CASES["box"]
    solver = ProjectedLangevin(1e-3, chains=32, draws=2000, warmup=500, start=interior(mirror.constraint))
    found = solver.solve(tain.Target(log_prob, mirror), rng=0)
    assert mirror.constraint.contains(found.result).all()
    assert (found.result.mean(0) - mean).abs().max() < 0.1


@pytest.mark.parametrize("solver", [*EXACT, "projected"])
def test_a_chain_does_not_depend_on_those_beside_it(solver):
    """The first chains are the same, however many run, and wherever the others start."""
    mirror, (log_prob, *_) = CASES["box"]
    start = interior(mirror.constraint, 6)
    other = torch.cat([start[:1], interior(mirror.constraint, 9)[6:], start[4:]])
    few = {"draws": 20, "warmup": 50, "start": start}
    if solver in (DualLangevin, MirrorLangevin):
        few["step_size"] = 0.05
    make = (lambda **k: ProjectedLangevin(0.01, **k)) if solver == "projected" else solver
    target = tain.Target(log_prob, mirror)
    six = make(chains=6, **few).solve(target, rng=3).result.unflatten(0, (6, 20))
    two = make(chains=2, **few).solve(target, rng=3).result.unflatten(0, (2, 20))
    moved = make(chains=6, **{**few, "start": other}).solve(target, rng=3).result.unflatten(0, (6, 20))
    assert torch.allclose(six[:2], two, rtol=1e-9, atol=1e-12)
    assert torch.allclose(six[[0, 4, 5]], moved[[0, 4, 5]], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(six[0], six[1])


@pytest.mark.parametrize("solver", [DualLangevin, MirrorLangevin])
def test_what_pilots_find_does_not_depend_on_the_number_of_chains(solver):
    mirror, (log_prob, *_) = CASES["box"]
    target, few = tain.Target(log_prob, mirror), {"draws": 20, "warmup": 50, "start": interior(mirror.constraint, 2)}
    two, five = (solver(chains=n, **few).solve(target, rng=3) for n in (2, 5))
    assert two.statistics["step_size"] == five.statistics["step_size"]
    assert torch.allclose(two.result, five.result[:40], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_coordinates_agree_with_the_map(case):
    """The Hessian's determinant is the map's, up to a constant, and its product with a derivative is the gradient."""
    mirror, (log_prob, *_) = CASES[case]
    x = interior(mirror.constraint, 5)
    coordinates = Coordinates(mirror, tuple(x.shape[1:]))
    hessian = coordinates.hessian(x)
    difference = hessian.logdet() - mirror.log_det(x)
    assert torch.allclose(difference, difference[:1], atol=1e-9)
    y = mirror(x).requires_grad_()
    (slope,) = torch.autograd.grad(log_prob(mirror.inverse(y)).sum(), y)
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(log_prob(x).sum(), x)
    assert torch.allclose((hessian @ slope[..., None])[..., 0], coordinates.gradient(gradient), rtol=1e-8, atol=1e-8)


BOX = BoxEntropy(Box((0.0, 0.0), (1.0, 1.0)))
START = torch.tensor([[0.5, 0.5]])


def flat(x):
    return 0 * x.sum(1)


@pytest.mark.parametrize(
    ("log_prob", "start", "error", "words"),
    [
        (flat, torch.tensor([[0.5, 1.5]]), tain.OutsideSetError, "start.*row 0|start"),
        (flat, torch.zeros(1, 3), tain.ShapeError, "shape"),
        (lambda x: x.sum(), START, tain.ShapeError, "one number a row"),
        (lambda x: x, START, tain.ShapeError, "one number a row"),
        (lambda x: -math.inf * x.sum(1), START, tain.ConfigurationError, "not finite at start 0"),
        (lambda x: x.sum(1) * math.nan, START, tain.ConfigurationError, "not finite at start 0"),
        (lambda x: x.detach().sum(1), START, tain.ConfigurationError, "cut off"),
    ],
)
@pytest.mark.parametrize("solver", [*EXACT, lambda **k: ProjectedLangevin(0.1, **k)])
def test_unfit_densities_and_starts_are_refused(solver, log_prob, start, error, words):
    with pytest.raises(error, match=words):
        solver(chains=2, draws=10, start=start).solve(tain.Target(log_prob, BOX), rng=0)


def test_maps_that_cannot_are_refused_by_name():
    projection = EuclideanProjection(Box((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(tain.MissingCapabilityError, match=r"EuclideanProjection, is not Legendre.*no Hessian"):
        MirrorLangevin(start=START).solve(tain.Target(flat, projection))
    with pytest.raises(tain.MissingCapabilityError, match="EuclideanProjection, is not Bijective"):
        DualLangevin(start=START).solve(tain.Target(flat, projection))
    with pytest.raises(tain.MissingCapabilityError, match="Anything, is not Projectable"):
        ProjectedLangevin(0.1, start=START).solve(tain.Target(flat, Identity()))
    with pytest.raises(tain.ConfigurationError, match="Anything does not tell the shape"):
        DualLangevin().solve(tain.Target(flat, Identity()))
    sphere = EuclideanProjection(Sphere(2, 1.0))
    with pytest.raises(tain.ConfigurationError, match=r"no line through a start.*Sphere"):
        HitAndRun(start=torch.tensor([[1.0, 0.0]])).solve(tain.Target(flat, sphere), rng=0)
    big = BoxEntropy(Box((0.0,) * 600, (1.0,) * 600))
    with pytest.raises(tain.ConfigurationError, match="has 600 coordinates"):
        MirrorLangevin(chains=1).solve(tain.Target(flat, big))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MirrorLangevin(substeps=2), "'substeps' is 2"),
        (lambda: MirrorLangevin(substeps=2, adjusted=False), "Give 'step_size'"),
        (lambda: DualLangevin(warmup=10), "'warmup' is 10"),
        (lambda: DualLangevin(draws=5), "'draws' is 5"),
        (lambda: ProjectedLangevin(0.0), "above 0"),
    ],
)
def test_unfit_settings_are_refused(make, words):
    with pytest.raises(tain.ConfigurationError, match=words):
        make()


def test_no_chain_is_stuck_where_its_gradient_is_steep():
    """The density is near the sphere, whose mirror images are far apart; starts are where it is steep and they are not.

    With steps as long as the gradient says, a third of the chains never leave their start.
    """
    edge = torch.tensor([1.2, -0.6, 0.6], dtype=DOUBLE)
    ball = Ball(3, 1.5)
    start = interior(ball) * 0.3
    target = tain.Target(lambda x: -10 * (x - edge).square().sum(1), BallBarrier(ball))
    found = DualLangevin(**QUICK, start=start).solve(target, rng=0)
    assert found.statistics["acceptance"].min() > 0.1
    assert "hardly moved" not in found.message


def test_the_message_tells_of_chains_that_do_not_agree():
    start = torch.tensor([[0.01, 0.5], [0.99, 0.5]])
    found = DualLangevin(chains=2, draws=20, warmup=0, step_size=1e-6, start=start).solve(tain.Target(flat, BOX), rng=0)
    assert "do not agree" in found.message
    still = DualLangevin(chains=2, draws=20, warmup=0, step_size=1e6, start=start).solve(tain.Target(flat, BOX), rng=0)
    assert "hardly moved" in still.message
    fine = DualLangevin(chains=32, draws=400, warmup=100).solve(tain.Target(flat, BOX), rng=0)
    assert fine.message == ""


def test_a_rule_without_points_is_started_from_images_of_normal_numbers():
    class Square(tain.Constraint):
        event_ndim = 1
        event_shape = (2,)

        def distance(self, x):
            return (x.abs() - 1).relu().sum(1)

    class Tanh(tain.Bijective):
        def __init__(self):
            super().__init__()
            self.constraint = Square()

        def forward(self, x):
            return x.atanh()

        def inverse(self, y):
            return y.tanh()

        def log_det(self, x):
            return -(1 - x.square()).log().sum(1)

    assert not isinstance(Anything(), tain.Interior)
    found = DualLangevin(chains=32, draws=300).solve(tain.Target(flat, Tanh()), rng=0)
    assert (found.result.std(0) - 3**-0.5).abs().max() < 0.03
