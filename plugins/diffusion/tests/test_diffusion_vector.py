"""Models of vectors against what is known of them without training, and after a little."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain.testing import parametrize_checks
from tain_diffusion import VectorDiffusion, VectorFlowMatching

KINDS = [VectorDiffusion, VectorFlowMatching]
kinds = pytest.mark.parametrize("kind", KINDS)
LABELS = {"loss-reaches-every-weight": "the checks give no conditions, so their embedding has no gradient"}
DENSITY = ["log-prob-integrates-to-one", "samples-follow-log-prob"]
# Those checks that do not ask for `denoise`, which is refused with Student-t noise.
WITHOUT_DENOISE = [
    "loss-of-each-row",
    "loss-follows-its-seed",
    "loss-reaches-every-weight",
    "sample-form",
    "sample-follows-its-seed",
    "loss-falls",
    *DENSITY,
]


def small(kind=VectorDiffusion, event_shape=(3,), **arguments):
    return kind(event_shape=event_shape, **({"width": 16, "blocks": 1, "likelihood_steps": 4} | arguments))


@parametrize_checks(small(), small(VectorFlowMatching), profile="quick")
def test_the_kit(subject, check):
    check(subject)


@parametrize_checks(
    small(event_shape=(1,)), small(VectorFlowMatching, (1,), evaluations=40), checks=DENSITY, profile="quick"
)
def test_the_kit_of_densities_on_a_line(subject, check):
    check(subject)


@parametrize_checks(
    small(classes=2),
    checks=["loss-reaches-every-weight", "one-row-alone", "loss-falls"],
    expected_failures=LABELS,
    profile="quick",
)
def test_the_kit_of_conditional_models(subject, check):
    check(subject)


@parametrize_checks(
    small(VectorFlowMatching, (1,), source="student-t", evaluations=40), checks=WITHOUT_DENOISE, profile="quick"
)
def test_the_kit_of_heavy_tailed_noise(subject, check):
    check(subject)


class ExactForAPoint(torch.nn.Module):
    """Right where all data are one point z_0, in standardised units."""

    def __init__(self, model, z_0):
        super().__init__()
        self.told = getattr(model, "prediction", "flow")
        self.limits = model.schedule.limits if self.told != "flow" else None
        self.z_0 = z_0

    def forward(self, z_t, t, condition=None):
        if self.told == "flow":
            return (z_t - self.z_0) / t[:, None]
        low, high = map(math.log, self.limits)
        ratio = torch.exp(low + (high - low) * t)[:, None]
        alpha = (1 + ratio**2).rsqrt()
        noise = (z_t - alpha * self.z_0) / (ratio * alpha)
        return {
            "velocity": alpha * noise - ratio * alpha * self.z_0,
            "noise": noise,
            "clean": self.z_0.expand_as(z_t),
        }[self.told]


def for_a_point(model, point):
    model.network = ExactForAPoint(model, point)
    return model


def models_of_a_point(point, **arguments):
    yield from (for_a_point(small(prediction=p, **arguments), point) for p in ("velocity", "noise", "clean"))
    yield for_a_point(small(VectorFlowMatching, **arguments), point)


@kinds
def test_a_new_model_draws_the_normal_distribution_of_its_data(kind):
    """The velocity of standard normal data is zero everywhere, and a new network is the zero function."""
    model = small(kind, evaluations=40)
    scale, mean = torch.tensor([1.0, 10.0, 0.01]), torch.tensor([0.0, -3.0, 7.0])
    model.prepare(torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0)) * scale + mean)
    samples = model.sample(20_000, rng=1)
    assert torch.allclose(samples.mean(0), mean, atol=0.04 * scale.max().item(), rtol=0.01)
    if kind is VectorDiffusion:
        assert torch.allclose(samples.std(0), scale, rtol=0.02)
        assert torch.allclose(
            model.log_prob(samples), torch.distributions.Normal(mean, scale).log_prob(samples).sum(1), atol=0.2
        )


def test_samples_end_at_the_only_point_of_the_data():
    point = torch.tensor([0.3, -1.2, 2.0])
    for model in models_of_a_point(point, evaluations=40):
        assert torch.allclose(model.sample(50, rng=0), point.expand(50, 3), atol=1e-2)


def test_the_denoiser_of_a_point_gives_the_point():
    """In units of the data: mean and scale are put in and taken out again."""
    point = torch.tensor([0.3, -1.2, 2.0])
    for model in models_of_a_point(point):
        model.mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
        model.scale.copy_(torch.tensor([0.1, 1.0, 10.0]))
        t = torch.tensor([0.05, 0.4, 0.8])
        y_0 = (model.mean + model.scale * point).expand(3, 3)
        noise = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
        y_t = model.alpha(t)[:, None] * y_0 + model.sigma(t)[:, None] * model.scale * noise
        assert torch.allclose(model.denoise(y_t, t), y_0, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["velocity", "noise", "clean"])
def test_the_loss_of_the_exact_network_is_zero(prediction):
    point = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
    model = for_a_point(small(prediction=prediction).double(), point)
    loss = model.loss(point.expand(64, 3), rng=0)
    assert loss.shape == (64,)
    assert loss.max() < 1e-6


def test_heavy_tailed_noise_does_not_denoise():
    model = small(VectorFlowMatching, source="student-t")
    with pytest.raises(tain.MissingCapabilityError, match="'source' \"student-t\" it is no denoiser"):
        model.denoise(torch.zeros(2, 3), torch.zeros(2))


def test_student_noise_has_its_tails():
    model = small(VectorFlowMatching, (2,), source="student-t", degrees_of_freedom=3)
    noise = model.sample(20_000, rng=0)  # a new network leaves it as it is
    radius = noise.square().sum(1) / 2  # follows the F distribution of 2 and 3 degrees
    assert (radius > 9.552).double().mean().item() == pytest.approx(0.05, abs=0.006)
    assert (noise[:, 0] * noise[:, 1] > 0).double().mean().item() == pytest.approx(0.5, abs=0.02)


@kinds
@settings(deadline=None, derandomize=True, max_examples=25)
@given(rows=st.integers(1, 7), seed=st.integers(0, 2**32), row=st.integers(0, 6))
def test_a_row_is_denoised_alike_alone_and_in_a_batch(kind, rows, seed, row):
    rng = torch.Generator().manual_seed(seed)
    model = small(kind, (2, 2)).double()
    torch.nn.init.normal_(model.network.project.weight, generator=rng)
    y_t, t = torch.randn(rows, 2, 2, generator=rng, dtype=torch.float64), torch.rand(rows, generator=rng).double()
    alone = slice(row % rows, row % rows + 1)
    assert torch.allclose(model.denoise(y_t, t)[alone], model.denoise(y_t[alone], t[alone]), rtol=1e-12, atol=1e-12)


@kinds
def test_a_seed_gives_one_result_and_the_global_state_is_left_alone(kind):
    before = torch.random.get_rng_state()
    first, again, other = small(kind, seed=1), small(kind, seed=1), small(kind, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.network.embed_sample.weight, other.network.embed_sample.weight)
    assert torch.equal(first.sample(5, rng=3), again.sample(5, rng=3))
    assert not torch.equal(first.sample(5, rng=3), first.sample(5, rng=4))
    assert not torch.equal(first.sample(5), first.sample(5))
    assert torch.equal(first.loss(torch.zeros(4, 3), rng=3), again.loss(torch.zeros(4, 3), rng=3))
    assert torch.equal(torch.random.get_rng_state(), before)


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_from_a_checkpoint_to_the_bit(tmp_path, dtype, kind):
    model = small(kind, (2, 3), seed=4).to(dtype)
    torch.nn.init.normal_(model.network.project.weight, generator=torch.Generator().manual_seed(0))
    model.prepare(torch.randn(10, 2, 3, generator=torch.Generator().manual_seed(0)).to(dtype))
    tain.save(model, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    samples = loaded.sample(7, rng=0)
    assert samples.dtype == dtype
    assert torch.equal(samples, model.sample(7, rng=0))


def test_data_that_do_not_vary_keep_their_scale():
    model = small()
    model.prepare(torch.tensor([[1.0, 5.0, 2.0]]))
    assert model.scale.tolist() == [1, 1, 1]
    assert torch.isfinite(model.loss(torch.tensor([[1.0, 5.0, 2.0]]), rng=0)).all()


@kinds
def test_constant_data_keep_their_scale_whatever_the_rounding(kind):
    model = small(kind)
    model.prepare(torch.tensor([[0.1, 1e4, -1e-3]]).repeat(1001, 1))
    assert model.scale.tolist() == [1, 1, 1]


@kinds
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_are_not_finite_are_refused(kind, value):
    model, data = small(kind), torch.zeros(4, 3)
    data[2, 1] = value
    with pytest.raises(tain.DataError, match=r"1 of 4 training samples hold a number that is not finite.* row 2"):
        model.prepare(data)
    with pytest.raises(tain.DataError, match="was given no samples"):
        model.prepare(data[:0])


@kinds
def test_it_learns_two_clusters(kind):
    rng = torch.Generator().manual_seed(0)
    side = torch.randint(2, (2000, 1), generator=rng) * 2.0 - 1
    data = torch.cat((3 * side + 0.1 * torch.randn(2000, 1, generator=rng), torch.randn(2000, 1, generator=rng)), 1)
    model = kind(event_shape=(2,), width=64, blocks=2)
    model.prepare(data)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(300):
        optimizer.zero_grad()
        model.loss(data[step % 4 :: 4], rng=step).mean().backward()
        optimizer.step()
    samples = model.sample(2000, rng=0)
    assert (samples[:, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=0.06)
    assert samples[:, 0].abs().mean().item() == pytest.approx(3, abs=0.1)
    assert (samples[:, 0].abs() - 3).abs().mean() < 0.3
    assert samples[:, 1].std().item() == pytest.approx(1, abs=0.1)
    assert math.isfinite(samples.abs().max().item())


@kinds
@pytest.mark.parametrize("method", ["prepare", "loss", "denoise", "log_prob", "log_prob_estimate"])
def test_samples_of_another_shape_are_refused(kind, method):
    model = small(kind)
    arguments = (torch.zeros(2, 4), torch.zeros(2)) if method == "denoise" else (torch.zeros(2, 4),)
    with pytest.raises(tain.ShapeError, match=r"have shape \(2, 4\), but must have \(B, 3\)"):
        getattr(model, method)(*arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_shape": (0,)}, r"'event_shape'\[0\] is 0, but must be at least 1"),
        ({"width": 0}, "'width' is 0"),
        ({"sampler": "euler"}, "'sampler' is 'euler', but must be one of"),
        ({"schedule": "linear"}, "'schedule' is 'linear', but must be one of"),
        ({"guidance": -1.0}, "'guidance' is -1"),
        ({"condition_dropout": 1.5}, "'condition_dropout' is 1.5, but must be at most 1"),
    ],
)
def test_a_bad_configuration_is_refused(change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        VectorDiffusion(**{"event_shape": (3,), **change})
