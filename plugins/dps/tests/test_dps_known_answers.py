"""Posteriors that are known: a normal prior with a linear operator, and a long Markov chain through the simplex map."""

import pytest
import torch

import tain
from tain.testing.gaussian import Gaussian, Identity
from tain_dps import CGDPS, DPS, MirrorDPS, MomentMatching, RandomProjection

MEAN, STD = (1.5, -0.5, 0.8, 2.0, -1.2, 0.4), (0.4, 0.8, 1.2, 1.6, 2.0, 1.0)
ROWS = 8000


def normal_problem(**changes):
    """Three projections of six numbers; the posterior's mean and covariance."""
    prior, operator = Gaussian(MEAN, STD).double(), RandomProjection((6,), 3, seed=1)
    A, m = operator.matrix, torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    noise = changes.pop("covariance", None)
    std = torch.as_tensor(changes.pop("noise_std", 0.3), dtype=torch.float64)
    sigma = torch.diag(std.square().expand(3)) if noise is None else noise
    inverse = torch.linalg.inv(sigma)
    variance = torch.tensor(STD, dtype=torch.float64).square()
    covariance = torch.linalg.inv((1 / variance).diag() + A.T @ inverse @ A)
    mean = covariance @ (torch.tensor(MEAN, dtype=torch.float64) / variance + A.T @ inverse @ m)
    given = {"noise_std": std} if noise is None else {"noise_std": None, "covariance": noise}
    problem = tain.Posterior(m.expand(ROWS, 3), operator, prior=changes.pop("prior", prior), **given, **changes)
    return problem, mean, covariance


def errors(x, mean, covariance):
    """Relative errors of the samples' mean and covariance."""
    wrong = x.T.cov() - covariance
    return float((x.mean(0) - mean).norm() / mean.norm()), float(wrong.norm() / covariance.norm())


CORRELATED = torch.tensor([[0.5, 0.2, 0.0], [0.2, 0.3, -0.1], [0.0, -0.1, 0.2]], dtype=torch.float64)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"noise_std": 0.05},
        {"noise_std": (0.1, 0.5, 2.0)},
        {"covariance": CORRELATED},
        {"prior": tain.Mirrored(Identity(), Gaussian(MEAN, STD).double())},
    ],
    ids=["", "little noise", "unequal noise", "correlated noise", "mirrored"],
)
def test_moment_matching_knows_the_posterior_of_a_normal_prior(changes):
    problem, mean, covariance = normal_problem(**changes)
    of_mean, of_covariance = errors(MomentMatching().solve(problem, rng=0).result, mean, covariance)
    assert of_mean < 0.02
    assert of_covariance < 0.1


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_less_noisy_steps_lead_to_the_same_posterior(eta):
    problem, mean, covariance = normal_problem()
    of_mean, of_covariance = errors(MomentMatching(eta=eta).solve(problem, rng=0).result, mean, covariance)
    assert of_mean < 0.02
    assert of_covariance < 0.05


def test_the_error_falls_with_the_number_of_steps():
    problem, mean, covariance = normal_problem()
    found = [
        errors(MomentMatching(steps=steps).solve(problem, rng=0).result, mean, covariance) for steps in (5, 20, 80)
    ]
    assert found[0][1] > 2 * found[1][1] > 4 * found[2][1]


def test_dps_is_biased_and_does_not_know_how_large_the_noise_is():
    """The README says so."""
    solver = DPS(zeta=0.1)
    less, mean, covariance = normal_problem(noise_std=0.1)
    more, *_ = normal_problem(noise_std=1.0)
    x = solver.solve(less, rng=0).result
    of_mean, of_covariance = errors(x, mean, covariance)
    assert of_mean > 0.05
    assert of_covariance > 0.1
    assert torch.allclose(solver.solve(more, rng=0).result, x)


@pytest.mark.parametrize("solver", [DPS(zeta=0.1), MirrorDPS(zeta=0.1), CGDPS(weight=1.0, zeta=0.1)])
def test_every_method_draws_samples_towards_the_measurement(solver):
    problem, *_ = normal_problem(constraint=Identity().constraint)
    x = problem.prior.sample(2000, rng=1)
    before = (problem.operator(x) - problem.measurement[:2000]).norm(dim=1).mean()
    after = (problem.operator(solver.solve(problem, rng=0).result) - problem.measurement).norm(dim=1).mean()
    assert after < before / 3


class Standardised(tain.Denoiser):
    """A normal model of mean 100 and deviations 5 and 50, in units of which its noise is, on a schedule of its own."""

    def __init__(self):
        super().__init__()
        self.event_shape = (2,)
        self.inner = Gaussian((0.0, 0.0), (1.0, 1.0)).double()
        self.register_buffer("scale", torch.tensor([5.0, 50.0], dtype=torch.float64))

    def loss(self, y, *, rng=None):
        return self.inner.loss((y - 100) / self.scale)

    def sample(self, n, *, rng=None):
        return 100 + self.scale * self.inner.sample(n, rng=rng)

    def alpha(self, t):
        return torch.ones_like(t)  # variance exploding

    def sigma(self, t):
        return 0.002 + 20 * t.square()

    def denoise(self, y_t, t):
        square = self.sigma(t)[:, None].square()
        return 100 + (y_t - 100) / (1 + square)


def test_other_schedules_and_scales():
    problem = tain.Posterior(torch.full((ROWS, 1), 190.0), lambda x: x[:, :1] + x[:, 1:] - 30, 20.0, Standardised())
    variance = torch.tensor([[25.0, 0.0], [0.0, 2500.0]], dtype=torch.float64)
    covariance = variance - variance.sum(1)[:, None] * variance.sum(0) / (2525 + 400)
    mean = 100 + variance.sum(1) * (190 - 170) / (2525 + 400)
    x = MomentMatching(steps=400).solve(problem, rng=0).result
    assert ((x.mean(0) - mean).abs() < 0.05 * covariance.diag().sqrt()).all()
    assert errors(x, mean, covariance)[1] < 0.1
    start = MomentMatching(steps=2).solve(problem, rng=0)
    assert start.statistics["not_finite"] == 0


def test_moment_matching_agrees_with_a_long_chain_through_the_simplex_map():
    """Of three shares the first is measured. The chain is Metropolis' random walk in the mirror space."""
    analytic = pytest.importorskip("tain_analytic")
    mirror = analytic.SimplexEntropy(analytic.Simplex(3))
    model, noise, m = Gaussian((0.3, -0.2), (0.8, 0.8)).double(), 0.05, 0.6

    def log_density(y):
        return model.log_prob(y) - (mirror.inverse(y)[:, 0] - m).square() / (2 * noise**2)

    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        y = model.sample(ROWS, rng=rng)
        now = log_density(y)
        for _ in range(600):
            width = 0.05 * 20 ** torch.rand(ROWS, 1, generator=rng, dtype=y.dtype)
            moved = y + width * torch.randn(y.shape, generator=rng, dtype=y.dtype)
            then = log_density(moved)
            accepted = torch.rand(ROWS, generator=rng, dtype=y.dtype).log() < then - now
            y, now = torch.where(accepted[:, None], moved, y), torch.where(accepted, then, now)
        expected = mirror.inverse(y)
    measurement = torch.full((ROWS, 1), m, dtype=torch.float64)
    problem = tain.Posterior(measurement, lambda x: x[:, :1], noise, tain.Mirrored(mirror, model))
    solution = MomentMatching().solve(problem, rng=0)
    x = solution.result
    assert ((x.mean(0) - expected.mean(0)).abs() < 0.1 * expected.std(0)).all()
    assert ((x.std(0) / expected.std(0) - 1).abs() < 0.1).all()
    assert solution.statistics["constraint_distance"].max() < 1e-14
    assert mirror.constraint.contains(x).all()


def test_a_refined_map_is_linearised_by_differences():
    """Its derivative cannot be differentiated again. Of the unit circle, given one coordinate, two points are left."""

    @tain.constraint("unit-circle", event_ndim=1)
    def unit_circle(x):
        return (x.norm(dim=1) - 1).abs()

    class Unchanged(tain.MirrorMap):
        def __init__(self, constraint: tain.Constraint):
            super().__init__()
            self.constraint = constraint

        def forward(self, x):
            return x

        def inverse(self, y):
            return y

    prior = tain.Mirrored(tain.Refined(Unchanged(unit_circle)), Gaussian((0.0, 0.0), (1.0, 1.0)).double())
    measurement = torch.full((400, 1), 0.6, dtype=torch.float64)
    solution = MomentMatching().solve(tain.Posterior(measurement, lambda x: x[:, :1], 0.02, prior), rng=0)
    x = solution.result
    assert solution.statistics["constraint_distance"].max() < 1e-12
    assert abs(x[:, 0].mean() - 0.6) < 0.02
    assert abs(x[:, 1].abs().mean() - 0.8) < 0.02
    assert 0.3 < (x[:, 1] > 0).double().mean() < 0.7
