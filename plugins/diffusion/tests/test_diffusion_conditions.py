"""Models of samples that come with a label or with covariates."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_diffusion import VectorDiffusion, VectorFlowMatching
from tain_diffusion.conditions import Conditions

KINDS = [VectorDiffusion, VectorFlowMatching]
kinds = pytest.mark.parametrize("kind", KINDS)


def small(kind, **arguments):
    return kind(**({"event_shape": (2,), "width": 16, "blocks": 1} | arguments))


def stirred(model):
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=rng, dtype=weight.dtype))
    return model


@kinds
def test_the_shape_of_a_condition_follows_from_the_arguments(kind):
    assert small(kind).condition_shape is None
    assert small(kind, classes=3).condition_shape == ()
    assert small(kind, covariates=4).condition_shape == (4,)


@kinds
@pytest.mark.parametrize("conditioned", ["classes", "covariates"])
def test_loss_samples_and_density_depend_on_the_condition(kind, conditioned):
    model = stirred(small(kind, **{conditioned: 2}, condition_dropout=0.0, likelihood_steps=4))
    y = torch.zeros(2, 2)
    first, second = (
        (torch.tensor([0, 0]), torch.tensor([1, 1]))
        if conditioned == "classes"
        else (torch.zeros(2, 2), torch.ones(2, 2))
    )
    for told in (
        lambda condition: model.loss(y, condition=condition, rng=0),
        lambda condition: model.sample(2, condition=condition, rng=0),
        lambda condition: model.log_prob(y, condition=condition),
        lambda condition: model.log_prob_estimate(y, condition=condition, rng=0)[0],
        lambda condition: model.denoise(y, torch.full((2,), 0.5), condition=condition),
    ):
        results = [told(condition) for condition in (first, second, None)]
        for index, result in enumerate(results):
            assert torch.equal(result, told((first, second, None)[index]))
            assert not torch.equal(result, results[index - 1])


@kinds
@settings(deadline=None, derandomize=True, max_examples=10)
@given(rows=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_each_row_follows_its_own_condition(kind, rows, seed):
    model = stirred(small(kind, classes=3, guidance=2.0, likelihood_steps=2)).double()
    rng = torch.Generator().manual_seed(seed)
    y, t = torch.randn(rows, 2, generator=rng, dtype=torch.float64), torch.rand(rows, generator=rng).double()
    labels = torch.randint(3, (rows,), generator=rng)
    density, clean = model.log_prob(y, condition=labels), model.denoise(y, t, condition=labels)
    for row in (slice(i, i + 1) for i in range(rows)):
        assert torch.allclose(model.log_prob(y[row], condition=labels[row]), density[row], rtol=1e-9, atol=1e-9)
        assert torch.allclose(model.denoise(y[row], t[row], condition=labels[row]), clean[row], rtol=1e-9, atol=1e-9)


@kinds
def test_guidance_is_the_formula_of_the_paper(kind):
    model = stirred(small(kind, covariates=2))
    z, t, condition = torch.ones(3, 2), torch.tensor([0.1, 0.5, 0.9]), torch.randn(3, 2)
    embedded, nothing = model.conditions(condition, 3), model.conditions(None, 3)
    told, untold = model.network(z, t, embedded), model.network(z, t, nothing)
    w = 1.5  # of the paper, where 0 is the plain conditional model
    assert torch.allclose(model.guided(z, t, embedded, 1 + w), (1 + w) * told - w * untold, atol=1e-5)
    assert torch.equal(model.guided(z, t, embedded, 1.0), told)
    assert torch.allclose(model.guided(z, t, embedded, 0.0), untold)


@pytest.mark.parametrize(("guidance", "passes"), [(1.0, 1), (2.0, 2)])
def test_only_guidance_asks_the_network_twice(guidance, passes):
    model = small(VectorDiffusion, classes=2, guidance=guidance, evaluations=5)
    calls = []
    model.network.register_forward_hook(lambda *arguments: calls.append(arguments))
    model.sample(2, condition=torch.tensor([0, 1]), rng=0)
    assert len(calls) == 5 * passes
    model.sample(2, rng=0)
    assert len(calls) == 5 * (passes + 1)  # without a condition there is nothing to guide


def test_samples_lose_their_condition_one_by_one_at_the_rate_of_dropout():
    conditions = Conditions("Model", covariates=0, classes=2, dropout=0.3)
    embedded = conditions(torch.zeros(10_000, dtype=torch.int64), 10_000)
    dropped = conditions.drop(embedded, torch.Generator().manual_seed(0))
    lost = (dropped == conditions.nothing).all(1)
    assert (lost | (dropped == embedded).all(1)).all()
    assert lost.double().mean().item() == pytest.approx(0.3, abs=0.02)
    none = Conditions("Model", covariates=0, classes=2, dropout=0.0)
    embedded = none(torch.tensor([1]), 1)
    assert torch.equal(none.drop(embedded, torch.Generator().manual_seed(0)), embedded)


@kinds
def test_covariates_are_standardised(kind):
    model = small(kind, covariates=2)
    rng = torch.Generator().manual_seed(0)
    units = torch.tensor([1000.0, 0.001])
    covariates = torch.randn(500, 2, generator=rng) * units + 5 * units
    model.prepare(torch.randn(500, 2, generator=rng), condition=covariates)
    assert torch.allclose(model.conditions.mean, 5 * units, rtol=0.05)
    assert torch.allclose(model.conditions.scale, units, rtol=0.1)
    embedded = model.conditions((5 + torch.eye(2)) * units, 2)
    assert torch.allclose(embedded, model.conditions.embed(torch.eye(2)), atol=0.3)


@kinds
def test_a_conditional_model_comes_back_from_a_checkpoint(kind, tmp_path):
    model = stirred(small(kind, covariates=2))
    model.prepare(torch.randn(50, 2), condition=torch.rand(50, 2))
    tain.save(model, tmp_path / "model")
    condition = torch.rand(4, 2)
    again = tain.load(tmp_path / "model")
    assert torch.equal(again.sample(4, condition=condition, rng=0), model.sample(4, condition=condition, rng=0))


def test_it_learns_where_each_label_is():
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (2000,), generator=rng)
    data = 3.0 * (2 * labels - 1)[:, None] + torch.randn(2000, 1, generator=rng)
    model = VectorDiffusion((1,), width=32, blocks=1, classes=2)
    model.prepare(data, condition=labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(250):
        optimizer.zero_grad()
        model(data[:512], step, labels[:512]).mean().backward()
        optimizer.step()
    samples = model.sample(1000, condition=torch.arange(2).repeat(500), rng=0)
    assert samples[0::2].mean().item() == pytest.approx(-3, abs=0.3)
    assert samples[1::2].mean().item() == pytest.approx(3, abs=0.3)
    mixed = model.sample(1000, rng=0)
    assert (mixed > 0).double().mean().item() == pytest.approx(0.5, abs=0.15)


def call_all(model, condition):
    rows = len(condition)
    yield lambda: model.prepare(torch.zeros(rows, 2), condition=condition)
    yield lambda: model.loss(torch.zeros(rows, 2), condition=condition)
    yield lambda: model.sample(rows, condition=condition)
    yield lambda: model.log_prob(torch.zeros(rows, 2), condition=condition)
    yield lambda: model.denoise(torch.zeros(rows, 2), torch.zeros(rows), condition=condition)


@kinds
@pytest.mark.parametrize(
    ("arguments", "condition", "error", "message"),
    [
        ({}, torch.zeros(2), tain.MissingCapabilityError, "the model takes none"),
        ({"classes": 3}, torch.tensor([0, 3]), tain.DataError, "label of row 1 is 3, but must be from 0 to 2"),
        ({"classes": 3}, torch.tensor([-1, 0]), tain.DataError, "label of row 0 is -1"),
        ({"classes": 3}, torch.zeros(2), tain.DataError, "labels have dtype torch.float32, but must be integers"),
        ({"classes": 3}, torch.zeros(2, 1).long(), tain.ShapeError, r"has shape \(2, 1\), but must have \(2,\)"),
        ({"covariates": 2}, torch.zeros(2, 3), tain.ShapeError, r"has shape \(2, 3\), but must have \(2, 2\)"),
        (
            {"covariates": 2},
            torch.tensor([[0.0, 0.0], [0.0, float("nan")]]),
            tain.DataError,
            "covariate 1 of row 1 is nan, but must be finite",
        ),
    ],
)
def test_wrong_conditions_are_refused_by_name(kind, arguments, condition, error, message):
    for call in call_all(small(kind, **arguments), condition):
        with pytest.raises(error, match=message):
            call()


@kinds
def test_a_number_of_conditions_other_than_of_samples_is_refused(kind):
    with pytest.raises(tain.ShapeError, match=r"has shape \(2,\), but must have \(3,\)"):
        small(kind, classes=2).sample(3, condition=torch.tensor([0, 1]))


@kinds
def test_labels_and_covariates_at_once_are_refused(kind):
    with pytest.raises(
        tain.ConfigurationError, match="'covariates' is 2 and 'classes' is 3, but one of them must be 0"
    ):
        small(kind, classes=3, covariates=2)
