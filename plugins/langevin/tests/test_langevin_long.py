"""Longer runs, with errors of three standard errors at most: pytest -m slow plugins/langevin/tests

References are exact where they are known, else those of a run by hit-and-run, which knows neither gradients nor maps.
"""

import pytest
import torch

import tain
from tain_analytic import Ball, BallBarrier, Box, BoxEntropy, Polytope, PolytopeBarrier, Simplex, SimplexEntropy
from tain_langevin import DualLangevin, HitAndRun, MirrorLangevin, standard_error

pytestmark = pytest.mark.slow
DOUBLE = torch.float64
CHAINS = 64


def moments(result):
    """Means and variances, and products of two entries, each with its standard error."""
    draws = result.unflatten(0, (CHAINS, -1))
    away = draws - result.mean(0)
    products = away[..., :, None] * away[..., None, :]
    return (result.mean(0), standard_error(draws)), (products.mean((0, 1)), standard_error(products))


def require_near(found, mean, covariance, mean_error=0.0, covariance_error=0.0):
    """3 standard errors for means and variances; for all covariances 4, since some of 190 exceed 3 by chance."""
    (m, m_error), (c, c_error) = moments(found.result)
    z = (m - mean) / (m_error**2 + mean_error**2).sqrt()
    w = (c - covariance) / (c_error**2 + covariance_error**2).sqrt()
    assert z.abs().max() <= 3
    assert w.diagonal().abs().max() <= 3
    assert w.abs().max() <= 4


def solved(solver, log_prob, mirror, rng=0, **plan):
    start = mirror.constraint.interior(CHAINS, rng=5, dtype=DOUBLE)
    found = solver(chains=CHAINS, start=start, **plan).solve(tain.Target(log_prob, mirror), rng=rng)
    assert mirror.constraint.contains(found.result).all()
    return found


def test_dirichlet_of_twenty_shares():
    a = torch.linspace(0.1, 1.0, 20, dtype=DOUBLE)
    mean = a / a.sum()
    found = solved(
        DualLangevin, lambda x: ((a - 1) * x.log()).sum(1), SimplexEntropy(Simplex(20)), draws=4000, warmup=1000
    )
    require_near(found, mean, (mean.diag() - mean[:, None] * mean) / (a.sum() + 1))


def test_normal_density_in_a_box():
    centres = torch.linspace(-1, 2, 10, dtype=DOUBLE)
    t = torch.linspace(0, 1, 100001, dtype=DOUBLE)[:, None]
    w = (-((t - centres) ** 2) / 2).exp()
    mean = (w * t).sum(0) / w.sum(0)
    variance = (w * (t - mean) ** 2).sum(0) / w.sum(0)
    mirror = BoxEntropy(Box((0.0,) * 10, (1.0,) * 10))
    found = solved(DualLangevin, lambda x: -(x - centres).square().sum(1) / 2, mirror, rng=1, draws=1000, warmup=500)
    require_near(found, mean, variance.diag())


@pytest.mark.parametrize("solver", [DualLangevin, MirrorLangevin])
def test_normal_density_in_a_ball(solver):
    r = torch.linspace(0, 1, 100001, dtype=DOUBLE)
    w = r**4 * (-2 * r.square()).exp()
    variance = (w * r.square()).sum() / w.sum() / 5
    found = solved(solver, lambda x: -2 * x.square().sum(1), BallBarrier(Ball(5, 1.0)), draws=2000, warmup=500, thin=2)
    require_near(found, torch.zeros(5), variance * torch.eye(5))


def polytope():
    rng = torch.Generator().manual_seed(0)
    A = torch.randn(30, 10, generator=rng, dtype=DOUBLE)
    A[10:20] = -A[:10]  # so that it is bounded
    A = A / A.norm(dim=1, keepdim=True)
    mirror = PolytopeBarrier(Polytope(A, torch.ones(30, dtype=DOUBLE)))
    return mirror, lambda x: -(x - 0.3).square().sum(1)


def logistic():
    """100 observations of 6 covariates, uniform prior on a ball that the likelihood's mode is near the edge of."""
    rng = torch.Generator().manual_seed(1)
    covariates = torch.randn(100, 6, generator=rng, dtype=DOUBLE)
    truth = torch.tensor([1.0, -1.0, 0.5, 0.0, 0.0, 0.5], dtype=DOUBLE)
    labels = torch.where(torch.rand(100, generator=rng, dtype=DOUBLE) < (covariates @ truth).sigmoid(), 1.0, -1.0)
    mirror = BallBarrier(Ball(6, 1.5))
    return mirror, lambda x: torch.nn.functional.logsigmoid(labels * (x @ covariates.mT)).sum(1)


@pytest.mark.parametrize("solver", [DualLangevin, MirrorLangevin])
@pytest.mark.parametrize("case", [polytope, logistic])
def test_against_hit_and_run(solver, case):
    mirror, log_prob = case()
    (mean, mean_error), (covariance, covariance_error) = moments(
        solved(HitAndRun, log_prob, mirror, rng=2, draws=2000, warmup=200, thin=2).result
    )
    found = solved(solver, log_prob, mirror, rng=3, draws=1500, warmup=500)
    require_near(found, mean, covariance, mean_error, covariance_error)
