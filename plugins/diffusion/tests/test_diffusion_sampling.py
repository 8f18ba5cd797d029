"""Samplers of both kinds of models, by networks that are exact or random."""

import pytest
import torch

import tain
from tain_diffusion import VectorDiffusion, VectorFlowMatching

SAMPLERS = ["adams-bashforth", "dpm-solver++", "dpm-solver++-sde", "heun", "ddim", "ancestral"]
SOLVERS = ["euler", "midpoint", "heun", "runge-kutta-4"]


def made(method, evaluations, event_shape=(2,), **arguments):
    size = {"width": 16, "blocks": 1}
    if method.startswith("flow "):
        return VectorFlowMatching(event_shape, solver=method[5:], evaluations=evaluations, **size, **arguments)
    return VectorDiffusion(event_shape, sampler=method, evaluations=evaluations, **size, **arguments)


METHODS = SAMPLERS + [f"flow {solver}" for solver in SOLVERS]


def fitting(method, evaluations):
    """A number of evaluations near that one which the method can take."""
    return evaluations - 1 if method == "heun" else evaluations


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("evaluations", [4, 8, 40])
def test_the_network_is_asked_exactly_as_often_as_promised(method, evaluations):
    model = made(method, fitting(method, evaluations))
    calls = []
    model.network.register_forward_hook(lambda *arguments: calls.append(arguments))
    assert torch.isfinite(model.sample(3, rng=0)).all()
    assert len(calls) == model.evaluations


@pytest.mark.parametrize("method", [*SAMPLERS, "flow euler"])
def test_one_evaluation_is_enough_to_run(method):
    samples = made(method, 1).sample(3, rng=0)
    assert samples.shape == (3, 2)
    assert torch.isfinite(samples).all()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        *((method, {}) for method in METHODS),
        ("adams-bashforth", {"schedule": "cosine"}),
        ("adams-bashforth", {"prediction": "clean"}),
        ("dpm-solver++", {"schedule": "cosine"}),
        ("dpm-solver++", {"schedule": "variance-preserving"}),
        ("dpm-solver++", {"prediction": "noise"}),
        ("dpm-solver++", {"prediction": "clean"}),
    ],
)
def test_samples_of_an_exact_network_have_the_covariance_of_the_data(method, arguments, exact, random_covariance):
    covariance = random_covariance(2, 1)
    first_order = method in ("ddim", "ancestral", "dpm-solver++-sde", "flow euler")
    model = exact(made(method, fitting(method, 300 if first_order else 40), **arguments), covariance)
    samples = model.sample(8_000, rng=0).double()
    assert torch.allclose(samples.mean(0), torch.zeros(2, dtype=torch.float64), atol=0.04)
    assert torch.allclose(samples.T.cov(), covariance, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("evaluations", [1, 2, 5])
def test_the_multistep_method_is_exact_for_standard_normal_data_in_any_number_of_steps(evaluations, exact):
    samples = exact(made("adams-bashforth", evaluations), torch.eye(2)).sample(1_000, rng=0)
    assert torch.allclose(samples, torch.randn(1_000, 2, generator=torch.Generator().manual_seed(0)), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_samples_do_not_depend_on_the_parts_that_the_network_takes(method):
    model = made(method, fitting(method, 8))
    torch.nn.init.normal_(model.network.project.weight, generator=torch.Generator().manual_seed(0))
    whole = model.sample(10, rng=0)
    assert len(whole.unique(dim=0)) == 10
    for model.rows_at_once in (1, 4):
        assert torch.allclose(model.sample(10, rng=0), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_one_rng_serves_call_after_call(method):
    model, rng = made(method, fitting(method, 4)), torch.Generator().manual_seed(0)
    first, second = model.sample(3, rng=rng), model.sample(3, rng=rng)
    assert torch.equal(first, model.sample(3, rng=0))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("method", "evaluations", "message"),
    [
        ("heun", 20, "'evaluations' is 20, but must be odd .* Give 19 or 21"),
        ("flow midpoint", 7, "'evaluations' is 7, but must be a multiple of 2 .* Give 6 or 8"),
        ("flow runge-kutta-4", 3, "'evaluations' is 3, but must be a multiple of 4 .* Give 4"),
        ("ddim", 0, "'evaluations' is 0, but must be at least 1"),
        ("ddim", 1001, "'evaluations' is 1001, but must be at most 1000"),
    ],
)
def test_impossible_numbers_of_evaluations_are_refused(method, evaluations, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        made(method, evaluations)
