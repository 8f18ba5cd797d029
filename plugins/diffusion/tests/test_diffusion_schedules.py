"""The noise schedules against the papers' formulas in float64, and their accuracy at both ends."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import stats

from tain_diffusion.schedules import SCHEDULES, alpha_sigma

times = st.floats(0, 1, width=32)
schedules = pytest.mark.parametrize("name", sorted(SCHEDULES))


def reference(name, t):
    """alpha^2 and sigma^2 by the papers' formulas."""
    if name == "edm":
        s = (0.002 ** (1 / 7) + t * (80 ** (1 / 7) - 0.002 ** (1 / 7))) ** 7
        return 1 / (1 + s**2), s**2 / (1 + s**2)
    if name == "cosine":
        phi = 0.002 + t * (math.pi / 2 - 0.004)
        return math.sin(math.pi / 2 - phi) ** 2, math.sin(phi) ** 2
    t = 1e-5 + (1 - 1e-5) * t
    integral = 0.1 * t + (20 - 0.1) * t**2 / 2
    return math.exp(-integral), -math.expm1(-integral)


@schedules
@settings(deadline=None, derandomize=True)
@given(t=times)
def test_it_is_the_formula_of_the_paper_in_both_precisions(name, t):
    for dtype, digits in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        alpha, sigma = alpha_sigma(SCHEDULES[name].ratio(torch.tensor(t, dtype=dtype)))
        signal, noise = reference(name, t)
        assert alpha.item() == pytest.approx(math.sqrt(signal), rel=digits)
        assert sigma.item() == pytest.approx(math.sqrt(noise), rel=digits)


@schedules
@settings(deadline=None, derandomize=True)
@given(t=times)
def test_it_preserves_the_variance(name, t):
    alpha, sigma = alpha_sigma(SCHEDULES[name].ratio(torch.tensor(t, dtype=torch.float64)))
    assert (alpha**2 + sigma**2).item() == pytest.approx(1, rel=1e-14)


@schedules
def test_noise_rises_from_almost_none_to_almost_all(name):
    schedule = SCHEDULES[name]
    ratio = schedule.ratio(torch.linspace(0, 1, 1001))
    assert (ratio.diff() > 0).all()
    low, high = schedule.limits
    assert 0 < low < 0.0021
    assert high > 79
    level = schedule.level(ratio)
    assert level[0].item() == pytest.approx(0, abs=1e-6)
    assert level[-1].item() == pytest.approx(1, abs=1e-6)
    assert (level.diff() > 0).all()


@schedules
def test_training_meets_ratios_within_the_limits(name):
    schedule = SCHEDULES[name]
    for dtype in (torch.float32, torch.float64):
        u = torch.cat([torch.linspace(0, 1, 1001, dtype=dtype)[:-1], torch.tensor([1 - torch.finfo(dtype).eps / 2])])
        ratio = schedule.training_ratio(u.to(dtype))
        assert torch.isfinite(ratio).all()
        assert ratio.min() >= schedule.limits[0] * (1 - 1e-4)
        assert ratio.max() <= schedule.limits[1] * (1 + 1e-4)


def test_edm_trains_at_log_normal_ratios():
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logarithms = SCHEDULES["edm"].training_ratio(u).log().numpy()
    assert stats.kstest(logarithms, stats.norm(math.log(0.6), 1.2).cdf).pvalue > 1e-3
