"""VectorDiffusion against what is known of it without training, and after a little."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given, settings, strategies as st

import tain
from tain_diffusion import VectorDiffusion, vector
from tain_diffusion.samplers import TIMES

SAMPLERS = [("dpm-solver++", 20), ("dpm-solver++", 50), ("ddim", 50), ("ancestral", 200)]


def small(event_shape=(3,), **settings):
    return VectorDiffusion(event_shape=event_shape, **({"width": 16, "blocks": 1} | settings))


def exact_for_a_point(model, z_0):
    """Give the model the network that is right where all data are one point z_0 (in standardised units)."""

    class Exact(torch.nn.Module):
        def forward(self, z_t, t):
            alpha, sigma = model.alpha(t)[:, None], model.sigma(t)[:, None]
            noise = (z_t - alpha * z_0) / sigma
            return {"velocity": alpha * noise - sigma * z_0, "noise": noise, "clean": z_0.expand_as(z_t)}[
                model.prediction
            ]

    model.network = Exact()


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_schedule_is_that_of_diffusers(schedule):
    model = small(schedule=schedule)
    t = torch.linspace(0, 1, TIMES)
    alpha, sigma = model.alpha(t), model.sigma(t)
    name = {"cosine": "squaredcos_cap_v2", "linear": "linear"}[schedule]
    expected = DDPMScheduler(TIMES, beta_schedule=name).alphas_cumprod
    assert torch.allclose(alpha.square(), expected, atol=1e-6)
    assert torch.allclose(alpha.square() + sigma.square(), torch.ones(TIMES), atol=1e-6)
    assert (alpha.diff() <= 0).all()
    between = model.alpha(torch.tensor([0.5 / (TIMES - 1)]))
    assert alpha[1] < between < alpha[0]


@pytest.mark.parametrize(("sampler", "evaluations"), SAMPLERS)
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_new_model_draws_the_normal_distribution_of_its_data(sampler, evaluations, schedule):
    """The velocity of standard normal data is zero everywhere, and a new network is the zero function."""
    model = small(sampler=sampler, evaluations=evaluations, schedule=schedule)
    scale, mean = torch.tensor([1.0, 10.0, 0.01]), torch.tensor([0.0, -3.0, 7.0])
    model.prepare(torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0)) * scale + mean)
    samples = model.sample(20_000, rng=1)
    assert torch.allclose(samples.mean(0), mean, atol=0.04 * scale.max().item(), rtol=0.01)
    # DDIM and ancestral sampling are of first order: in so few steps they lose 1% to 3% of the deviation.
    assert torch.allclose(samples.std(0), scale, rtol=0.02 if sampler == "dpm-solver++" else 0.05)


@pytest.mark.parametrize("prediction", ["velocity", "noise", "clean"])
@pytest.mark.parametrize(("sampler", "evaluations"), SAMPLERS)
def test_samples_end_at_the_only_point_of_the_data(prediction, sampler, evaluations):
    point = torch.tensor([0.3, -1.2, 2.0])
    model = small(prediction=prediction, sampler=sampler, evaluations=evaluations)
    exact_for_a_point(model, point)
    assert torch.allclose(model.sample(50, rng=0), point.expand(50, 3), atol=1e-2)


@pytest.mark.parametrize("prediction", ["velocity", "noise", "clean"])
def test_the_denoiser_of_a_point_gives_the_point(prediction):
    """In units of the data: mean and scale are put in and taken out again."""
    model = small(prediction=prediction)
    model.mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    model.scale.copy_(torch.tensor([0.1, 1.0, 10.0]))
    point = torch.tensor([0.3, -1.2, 2.0])
    exact_for_a_point(model, point)
    t = torch.tensor([0.05, 0.4, 0.8])
    y_0 = (model.mean + model.scale * point).expand(3, 3)
    noise = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    y_t = model.alpha(t)[:, None] * y_0 + model.sigma(t)[:, None] * model.scale * noise
    assert torch.allclose(model.denoise(y_t, t), y_0, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["velocity", "noise", "clean"])
def test_the_loss_of_the_exact_network_is_zero(prediction):
    model = small(prediction=prediction)
    point = torch.tensor([0.3, -1.2, 2.0])
    exact_for_a_point(model, point)
    loss = model.loss(point.expand(64, 3), rng=0)
    assert loss.shape == (64,)
    assert loss.max() < 1e-4


@settings(deadline=None, max_examples=25)
@given(rows=st.integers(1, 7), seed=st.integers(0, 2**32), row=st.integers(0, 6))
def test_a_row_is_denoised_alike_alone_and_in_a_batch(rows, seed, row):
    rng = torch.Generator().manual_seed(seed)
    model = small((2, 2)).double()
    torch.nn.init.normal_(model.network.project.weight, generator=rng)
    y_t, t = torch.randn(rows, 2, 2, generator=rng, dtype=torch.float64), torch.rand(rows, generator=rng).double()
    alone = slice(row % rows, row % rows + 1)
    assert torch.allclose(model.denoise(y_t, t)[alone], model.denoise(y_t[alone], t[alone]), rtol=1e-12, atol=1e-12)


def test_a_seed_gives_one_result_and_the_global_state_is_left_alone():
    before = torch.random.get_rng_state()
    first, again, other = small(seed=1), small(seed=1), small(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.network.embed_sample.weight, other.network.embed_sample.weight)
    assert torch.equal(first.sample(5, rng=3), again.sample(5, rng=3))
    assert not torch.equal(first.sample(5, rng=3), first.sample(5, rng=4))
    assert not torch.equal(first.sample(5), first.sample(5))
    assert torch.equal(first.loss(torch.zeros(4, 3), rng=3), again.loss(torch.zeros(4, 3), rng=3))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_from_a_checkpoint_to_the_bit(tmp_path, dtype):
    model = small((2, 3), schedule="linear").to(dtype)
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


def test_large_requests_are_drawn_in_parts(monkeypatch):
    model = small()
    assert model.sample(0, rng=0).shape == (0, 3)
    monkeypatch.setattr(vector, "_CHUNK", 4)
    samples = model.sample(10, rng=0)
    assert samples.shape == (10, 3)
    assert len(samples.unique(dim=0)) == 10


def test_it_learns_two_clusters():
    rng = torch.Generator().manual_seed(0)
    side = torch.randint(2, (2000, 1), generator=rng) * 2.0 - 1
    data = torch.cat((3 * side + 0.1 * torch.randn(2000, 1, generator=rng), torch.randn(2000, 1, generator=rng)), 1)
    model = VectorDiffusion(event_shape=(2,), width=64, blocks=2)
    model.prepare(data)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(300):
        optimizer.zero_grad()
        model.loss(data, rng=step).mean().backward()
        optimizer.step()
    samples = model.sample(2000, rng=0)
    assert (samples[:, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=0.06)
    assert samples[:, 0].abs().mean().item() == pytest.approx(3, abs=0.1)
    assert (samples[:, 0].abs() - 3).abs().mean() < 0.3
    assert samples[:, 1].std().item() == pytest.approx(1, abs=0.1)
    assert math.isfinite(samples.abs().max().item())


@pytest.mark.parametrize("method", ["prepare", "loss", "denoise"])
def test_samples_of_another_shape_are_refused(method):
    model = small()
    arguments = (torch.zeros(2, 4), torch.zeros(2)) if method == "denoise" else (torch.zeros(2, 4),)
    with pytest.raises(tain.ShapeError, match=r"have shape \(2, 4\), but must have \(B, 3\)"):
        getattr(model, method)(*arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_shape": (0,)}, r"'event_shape'\[0\] is 0, but must be at least 1"),
        ({"width": 0}, "'width' is 0"),
        ({"sampler": "euler"}, "'sampler' is 'euler', but must be one of"),
        ({"evaluations": 1001}, "'evaluations' is 1001, but must be at most 1000"),
    ],
)
def test_a_bad_configuration_is_refused(change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        small(**change)
