"""log_prob against densities in closed form, by networks that are exact."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import stats

import tain
from tain_diffusion import VectorDiffusion, VectorFlowMatching, continuous_flow
from tain_diffusion.runge_kutta import METHODS, integrate

KINDS = [VectorDiffusion, VectorFlowMatching]
kinds = pytest.mark.parametrize("kind", KINDS)


def small(kind, event_shape=(3,), **arguments):
    return kind(event_shape=event_shape, **({"width": 16, "blocks": 1} | arguments))


def stirred(model, seed=0):
    """Random weights everywhere, since a new network is the zero function."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=rng, dtype=weight.dtype))
    return model


@kinds
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_it_is_the_density_of_a_gaussian(exact, random_covariance, size, kind):
    seed = 10 + size
    rng = torch.Generator().manual_seed(seed)
    model = small(kind, (size,), likelihood_steps=50).double()
    covariance = random_covariance(size, seed)
    model.mean.copy_(torch.randn(size, generator=rng))
    model.scale.copy_(torch.rand(size, generator=rng) + 0.1)
    exact(model, covariance)
    truth = torch.distributions.MultivariateNormal(model.mean, model.scale[:, None] * covariance * model.scale)
    y = model.mean + 2 * model.scale * torch.randn(20, size, generator=rng, dtype=torch.float64)
    assert torch.allclose(model.log_prob(y), truth.log_prob(y), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["velocity", "noise", "clean"])
@pytest.mark.parametrize("schedule", ["edm", "cosine", "variance-preserving"])
def test_every_schedule_and_prediction_tells_the_same_density(exact, random_covariance, schedule, prediction):
    covariance = random_covariance(2, 0)
    model = small(VectorDiffusion, (2,), schedule=schedule, prediction=prediction, likelihood_steps=50).double()
    exact(model, covariance)
    y = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), covariance)
    assert torch.allclose(model.log_prob(y), truth.log_prob(y), rtol=1e-3, atol=2e-3)


@kinds
def test_random_probes_find_the_exact_density_within_their_standard_error(kind, monkeypatch):
    model = stirred(small(kind, (6,), likelihood_steps=3)).double()
    y = torch.randn(25, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = model.log_prob(y)
    estimate, error = model.log_prob_estimate(y, probes=64, rng=0)
    assert error.shape == estimate.shape == (25,)
    assert (error > 0).all()
    deviations = (estimate - truth) / error
    assert deviations.abs().max() < 5
    assert 0.6 < deviations.square().mean().sqrt() < 1.5  # neither too small an error nor too large
    assert torch.equal(model.log_prob_estimate(y, probes=64, rng=0)[0], estimate)
    assert not torch.equal(model.log_prob_estimate(y, probes=64, rng=1)[0], estimate)
    monkeypatch.setattr(continuous_flow, "EXACT", 5)
    large = model.log_prob(y)
    assert not torch.equal(large, truth)
    assert torch.equal(model.log_prob(y), large)  # its probes are always the same
    assert torch.allclose(model.log_prob(y[7:8]), large[7:8], rtol=1e-12)  # and alike for all rows
    assert (large - truth).abs().max() < 6 * error.max() * math.sqrt(64 / continuous_flow.PROBES)


@kinds
def test_one_probe_tells_no_error_and_is_refused(kind):
    with pytest.raises(tain.ConfigurationError, match="'probes' is 1, but must be at least 2"):
        small(kind).log_prob_estimate(torch.zeros(2, 3), probes=1)


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_density_integrates_to_one(kind, dtype):
    model = stirred(small(kind, (1,), likelihood_steps=20)).to(dtype)
    model.mean.fill_(3)
    model.scale.fill_(0.1)
    y = torch.linspace(-2, 8, 2001, dtype=dtype)[:, None]
    assert torch.trapezoid(model.log_prob(y).exp(), y[:, 0]).item() == pytest.approx(1, abs=1e-3)


@kinds
def test_the_steps_converge(kind):
    model = stirred(small(kind, (2,), likelihood_steps=80)).double()
    y = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fine, errors = model.log_prob(y), []
    for model.likelihood_steps in (10, 20):
        errors.append((model.log_prob(y) - fine).abs().max().item())
    assert errors[1] < 2e-2  # of a rough network: its weights are random
    assert errors[1] < errors[0] / 3


@kinds
@settings(deadline=None, derandomize=True, max_examples=10)
@given(rows=st.integers(1, 6), row=st.integers(0, 5), seed=st.integers(0, 2**32))
def test_a_row_alone_and_in_parts_has_the_density_it_has_in_a_batch(kind, rows, row, seed):
    model = stirred(small(kind, (2, 2), likelihood_steps=3), seed).double()
    y = torch.randn(rows, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    whole, row = model.log_prob(y), row % rows
    assert torch.allclose(model.log_prob(y[row : row + 1]), whole[row : row + 1], rtol=1e-10, atol=1e-10)
    model.rows_at_once = 2
    assert torch.allclose(model.log_prob(y), whole, rtol=1e-10, atol=1e-10)


def test_a_new_flow_has_the_density_of_its_source():
    model = small(VectorFlowMatching, source="student-t", degrees_of_freedom=4).double()
    y = 3 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = stats.multivariate_t(shape=np.eye(3), df=4).logpdf(y.numpy())
    assert model.log_prob(y).numpy() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("runge-kutta-4", 4)])
def test_a_method_has_its_order(method, order):
    """Of y' = y s, whose solution from 1 is exp(s^2 / 2); each slope counted."""
    errors = []
    for steps in (20, 40):
        calls = []

        def slope(s, state, calls=calls):
            calls.append(s)
            return (state[0] * s,)

        grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        (end,) = integrate(slope, (torch.ones(1, dtype=torch.float64),), grid, method)
        assert len(calls) == steps * METHODS[method].evaluations
        errors.append(abs(end.item() - math.exp(0.5)))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)
