"""The map that shortens heavy tails, and models that use it."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

import tain
from tain.testing import parametrize_checks
from tain_diffusion import VectorDiffusion, VectorFlowMatching
from tain_diffusion.tails import lengthened, log_det_shortened, median_and_spread, shortened

KINDS = [VectorDiffusion, VectorFlowMatching]
kinds = pytest.mark.parametrize("kind", KINDS)


def small(kind, event_shape=(1,), **arguments):
    return kind(event_shape, width=16, blocks=1, tails="shortened", **({"likelihood_steps": 4} | arguments))


def rows(size, exponent, seed, dtype=torch.float64) -> Tensor:
    w = torch.randn(5, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (w * 10.0**exponent).to(dtype)


@settings(deadline=None, derandomize=True)
@given(size=st.integers(1, 5), exponent=st.floats(-12, 15), seed=st.integers(0, 2**32))
def test_the_way_there_and_back_changes_nothing(size, exponent, seed):
    for dtype, digits in ((torch.float32, 2e-5), (torch.float64, 1e-13)):
        w = rows(size, exponent, seed, dtype)
        assert torch.allclose(lengthened(shortened(w)), w, rtol=digits * 5, atol=0)


def test_zero_stays_zero_and_rows_are_on_their_own():
    w = rows(3, 1, 0)
    w[0] = 0
    assert torch.equal(shortened(w)[0], w[0])
    assert torch.equal(lengthened(w)[0], w[0])
    assert torch.equal(shortened(w[2:3]), shortened(w)[2:3])


@settings(deadline=None, derandomize=True, max_examples=30)
@given(size=st.integers(1, 4), exponent=st.floats(-3, 6), seed=st.integers(0, 2**32))
def test_the_log_determinant_is_that_of_the_jacobian(size, exponent, seed):
    w = rows(size, exponent, seed)
    jacobians = torch.stack([torch.func.jacrev(lambda row: shortened(row[None])[0])(row) for row in w])
    assert torch.allclose(log_det_shortened(w), jacobians.det().abs().log(), rtol=1e-6, atol=1e-6)


def test_median_and_spread_are_not_moved_by_a_few_extremes():
    y = torch.randn(20_001, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0])
    y[:50] = 1e9
    median, spread = median_and_spread(y)
    assert torch.allclose(median, torch.zeros(2), atol=0.1)
    assert torch.allclose(spread, torch.tensor([1.0, 5.0]), rtol=0.05)


@kinds
def test_a_new_model_has_the_density_of_its_samples(kind):
    """Its z are normal: so the lengths of its samples are known, and so is their density."""
    model = small(kind, (1,), evaluations=40)
    model.mean.fill_(2.0)
    model.scale.fill_(3.0)
    y = torch.linspace(-60, 60, 4001)[:, None]
    z = ((y - 2) / 3).asinh()
    expected = torch.distributions.Normal(0, 1).log_prob(z) - (1 + ((y - 2) / 3) ** 2).log() / 2 - math.log(3)
    assert torch.allclose(model.log_prob(y), expected[:, 0], atol=1e-4)
    samples = model.sample(20_000, rng=0)
    assert ((samples - 2) / 3).asinh().std().item() == pytest.approx(1, abs=0.03)


@parametrize_checks(
    *(small(kind) for kind in KINDS),
    checks=["loss-of-each-row", "sample-form", "log-prob-integrates-to-one"],
    profile="quick",
)
def test_the_kit(subject, check):
    check(subject)


@kinds
def test_such_a_model_does_not_denoise(kind):
    with pytest.raises(tain.MissingCapabilityError, match="'tails' \"shortened\" noise is added to a function"):
        small(kind).denoise(torch.zeros(2, 1), torch.zeros(2))
