"""Diffusion and flow matching of images: what is known without training, and after a little."""

import math

import pytest
import torch

import tain
from tain.testing import parametrize_checks
from tain_diffusion.image import ImageDiffusion
from tain_diffusion.image_flow import ImageFlowMatching

MODELS = [ImageDiffusion, ImageFlowMatching]
TINY = {"channels": (4,), "evaluations": 2, "likelihood_steps": 1}


def small(model=ImageDiffusion, event_shape=(2, 8, 8), **arguments):
    return model(event_shape, **({"channels": (8, 16), "evaluations": 4, "likelihood_steps": 1} | arguments))


def stirred(model, seed=0):
    """The model with another last layer than zeros."""
    torch.nn.init.normal_(model.network.unet.conv_out.weight, std=0.1, generator=torch.Generator().manual_seed(seed))
    return model


def stripes(rows, seed=0):
    """Sine waves along each row of pixels, moved by a random phase: (rows, 1, 8, 8), periodic."""
    phase = 2 * math.pi * torch.rand(rows, 1, 1, 1, generator=torch.Generator().manual_seed(seed))
    return torch.sin(torch.arange(8) * math.pi / 4 + phase).expand(rows, 1, 8, 8)


@parametrize_checks(ImageDiffusion((1, 2, 2), **TINY), profile="quick")
def test_diffusion_is_a_generator(subject, check):
    check(subject)


FLOW_CHECKS = ["loss-falls", "loss-reaches-every-weight", "noise-schedule", "one-row-alone", "sample-follows-its-seed"]


@parametrize_checks(ImageFlowMatching((1, 2, 2), **TINY), checks=FLOW_CHECKS, profile="quick")
def test_flow_matching_is_a_generator(subject, check):
    check(subject)


@pytest.mark.parametrize("model", MODELS)
def test_there_is_one_mean_and_one_scale_for_each_channel(model):
    made = small(model)
    y = torch.randn(500, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    y[:, 1] = 7 + 3 * y[:, 1]
    y[:, :, 0, 0] += 5  # a pixel unlike the others
    made.prepare(y)
    for channel in range(2):
        assert torch.allclose(made.mean[channel], y[:, channel].mean().expand(8, 8), rtol=1e-4)
        assert torch.allclose(made.scale[channel], y[:, channel].std().expand(8, 8), rtol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_new_model_draws_white_noise_of_the_scale_of_its_data(model):
    """A new network is the zero function, and so are the velocity and the score of standard normal data."""
    made = small(model, evaluations=20)
    made.prepare(7 + 3 * torch.randn(500, 2, 8, 8, generator=torch.Generator().manual_seed(0)))
    samples = made.sample(200, rng=1)
    assert samples.mean().item() == pytest.approx(7, abs=0.1)
    assert samples.std().item() == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_from_a_checkpoint_to_the_bit(model, dtype, tmp_path):
    made = stirred(small(model, padding="periodic", attention=(1,), classes=3)).to(dtype)
    made.prepare(torch.randn(10, 2, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype))
    tain.save(made, tmp_path / "model")
    loaded, labels = tain.load(tmp_path / "model"), torch.tensor([0, 1, 2])
    samples = loaded.sample(3, condition=labels, rng=0)
    assert samples.dtype == dtype
    # A loaded model is ready for use; in training mode dropout, even of probability 0, may change the last bits.
    assert torch.equal(samples, made.eval().sample(3, condition=labels, rng=0))


@pytest.mark.parametrize("model", MODELS)
def test_a_periodic_model_denoises_shifted_images_alike(model):
    made = stirred(small(model, padding="periodic")).double()
    y_t = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    t = torch.tensor([0.1, 0.5, 0.9]).double()
    shift = {"shifts": (2, 4), "dims": (2, 3)}
    assert torch.allclose(made.denoise(y_t.roll(**shift), t), made.denoise(y_t, t).roll(**shift), atol=1e-9)
    assert not torch.allclose(made.denoise(y_t.roll(**shift), t), made.denoise(y_t, t), atol=1e-2)


@pytest.mark.parametrize("model", MODELS)
def test_samples_do_not_depend_on_the_parts_that_they_are_drawn_in(model):
    made = stirred(small(model)).double()
    whole = made.sample(5, rng=0)
    made.rows_at_once = 2
    assert torch.allclose(made.sample(5, rng=0), whole, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("setting", "condition", "other"),
    [
        ({"classes": 3}, torch.tensor([0, 2]), torch.tensor([1, 1])),
        ({"covariates": 2}, torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.zeros(2, 2)),
    ],
)
def test_conditions_reach_every_image(model, setting, condition, other):
    made = stirred(small(model, **setting))
    told, otherwise, untold = (made.sample(2, condition=c, rng=0) for c in (condition, other, None))
    for samples in (otherwise, untold):
        assert ((samples - told).abs().flatten(1).amax(1) > 0).all()
    loss = made.loss(torch.zeros(2, 2, 8, 8), condition=condition, rng=0)
    assert loss.shape == (2,)
    assert not torch.equal(made.loss(torch.zeros(2, 2, 8, 8), condition=other, rng=0), loss)


@pytest.mark.parametrize("model", MODELS)
def test_the_likelihood_of_white_noise_is_known(model):
    """A new network is exact for standard normal data, so that its likelihood is theirs, up to the steps."""
    made = small(model, event_shape=(1, 8, 12), likelihood_steps=10)
    y = torch.randn(4, 1, 8, 12, generator=torch.Generator().manual_seed(0))
    estimate, error = made.log_prob_estimate(y, probes=4, rng=0)
    expected = torch.distributions.Normal(0, 1).log_prob(y).flatten(1).sum(1)
    assert ((estimate - expected).abs() <= 1e-3 * expected.abs() + 5 * error).all()


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_waves(model):
    data = stripes(256)
    made = small(model, event_shape=(1, 8, 8), channels=(8, 8), padding="periodic", evaluations=16)
    made.prepare(data)
    optimizer, losses = torch.optim.Adam(made.parameters(), lr=6e-3), []
    for step in range(80):
        optimizer.zero_grad()
        losses.append(made.loss(data[step % 8 :: 8], rng=step).mean())
        losses[-1].backward()
        optimizer.step()
    assert torch.stack(losses[-20:]).mean() < 0.4 * torch.stack(losses[:5]).mean()
    samples = made.sample(64, rng=0)
    power = torch.fft.rfft(samples.mean((1, 2))).abs().square().mean(0)
    assert power[1] > 0.9 * power.sum()  # one wave a row
    assert samples.std(2).mean() < 0.25  # alike in all rows


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_shape": (8, 8)}, r"'event_shape' is \(8, 8\), but must be that of an image"),
        ({"event_shape": (1, 7, 8)}, "the height is 7, but must be a multiple of 2"),
        ({"channels": ()}, r"'channels' is \(\), but must hold one number a level"),
        ({"channels": (2,)}, r"'channels'\[0\] is 2, but must be at least 4"),
        ({"padding": "reflect"}, "'padding' is 'reflect', but must be one of"),
        ({"layers": 0}, "'layers' is 0"),
    ],
)
def test_a_bad_configuration_is_refused(model, change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        small(model, **change)
