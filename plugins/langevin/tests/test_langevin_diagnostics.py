"""Effective sample size, split R-hat and standard errors, against recorded values of ArviZ 0.23.4."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

import tain
from tain_langevin import effective_samples, split_r_hat, standard_error


def autoregressive(rho, chains, draws, seed):
    noise = np.random.default_rng(seed).standard_normal((chains, draws + 200))
    return torch.as_tensor(lfilter([1], [1, -rho], noise, axis=1)[:, 200:].copy())


def cauchy():
    x = np.random.default_rng(5).standard_cauchy((4, 500)).round(1) + np.arange(4)[:, None]
    return torch.as_tensor(x)


# arviz.ess(x, method="bulk"), arviz.ess(x, method="mean"), arviz.rhat(x), arviz.mcse(x, method="mean")
RECORDED = [
    (autoregressive(0.0, 4, 1000, 0), (4106.548485726917, 4108.229506317869, 1.0000790386714213, 0.01559310444567398)),
    (autoregressive(0.9, 4, 1000, 1), (262.7627461144879, 263.2603483084429, 1.0071360501159041, 0.14140203293090461)),
    (autoregressive(-0.5, 2, 501, 2), (3000.0, 3000.0, 1.0030045820736495, 0.02123032287157461)),
    (autoregressive(0.99, 3, 800, 3), (15.68824125538298, 13.194787597732587, 1.1431872648465884, 1.9437753948418528)),
    (autoregressive(0.5, 1, 300, 4), (15.389817188145432, 15.469672406607513, math.nan, 0.30270485002256625)),
    (cauchy(), (26.877801832509245, 2015.6363813431053, 1.0998016970040012, 19.17898323639767)),
]


@pytest.mark.parametrize(("draws", "recorded"), RECORDED)
def test_figures_are_those_of_arviz(draws, recorded):
    bulk, mean, r_hat, error = recorded
    found = effective_samples(draws), effective_samples(draws, ranks=False), split_r_hat(draws), standard_error(draws)
    for ours, theirs in zip(found, (bulk, mean, r_hat, error), strict=True):
        assert math.isnan(theirs) or float(ours) == pytest.approx(theirs, rel=1e-9)  # it has no R-hat of one chain


def test_entries_are_judged_one_by_one():
    draws = torch.stack([autoregressive(rho, 4, 200, 0) for rho in (0.0, 0.5, 0.9)], -1).unflatten(-1, (3, 1))
    for function in (effective_samples, split_r_hat, standard_error):
        together = function(draws)
        assert together.shape == (3, 1)
        for entry in range(3):
            assert torch.allclose(together[entry, 0], function(draws[:, :, entry, 0]), rtol=1e-12)


def test_chains_that_never_moved_or_hold_nan_have_no_figures():
    still = torch.zeros(4, 20)
    spoilt = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    spoilt[0, 3] = torch.nan
    for draws in (still, spoilt):
        assert effective_samples(draws).isnan()
        assert split_r_hat(draws).isnan()


@pytest.mark.parametrize("shape", [(4, 9), (0, 20), (20,)])
def test_too_few_draws_are_refused(shape):
    with pytest.raises(tain.ShapeError, match="at least one chain and 10 draws"):
        effective_samples(torch.zeros(shape))
