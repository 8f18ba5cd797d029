"""Both autoencoders: each row on its own, seeds, units, parts, checkpoints, and what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain.testing import parametrize_checks
from tain.testing.gaussian import Identity
from tain_vae import ImageVAE, VectorVAE
from tain_vae.convolutions import levels


def vectors(**changes):
    return VectorVAE(**({"event_shape": (2, 3), "latent": 2, "width": 8, "blocks": 2} | changes))


def images(**changes):
    return ImageVAE(**({"event_shape": (2, 9, 6), "latent": 3, "width": 4} | changes))


def data(model, n, seed=0, dtype=torch.float32):
    return torch.randn(n, *model.event_shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


BOTH = pytest.mark.parametrize("make", [vectors, images])


@parametrize_checks(
    vectors(),
    vectors(beta=10.0, noise=False),
    images(),
    images(event_shape=(1, 1, 17), noise=True),
    tain.Mirrored(Identity(), vectors(event_shape=(4,))),
    profile="quick",
)
def test_kit(subject, check):
    check(subject)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(make=st.sampled_from([vectors, images]), rows=st.integers(1, 5), row=st.integers(0, 4), seed=st.integers(0, 999))
def test_a_row_is_alike_alone_and_in_a_batch(make, rows, row, seed):
    model = make().double()
    y = data(model, rows, seed, torch.float64)
    alone = slice(row % rows, row % rows + 1)
    z = model.encode(y)[0]
    for method, given_rows in (
        (lambda y: model.encode(y)[0], y),
        (lambda y: model.encode(y)[1], y),
        (model.reconstruct, y),
        (model.decode, z),
    ):
        assert torch.allclose(method(given_rows)[alone], method(given_rows[alone]), rtol=1e-12, atol=1e-12)


@BOTH
def test_the_bound_of_a_row_does_not_depend_on_its_neighbours(make):
    model = make().double()
    y, other = data(model, 6, 0, torch.float64), data(model, 6, 1, torch.float64)
    other[0] = y[0]
    found, expected = (model.log_prob_bound(rows, 3, rng=0)[0] for rows in (other, y))
    assert torch.allclose(found, expected, rtol=1e-12)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_do_not_depend_on_the_parts_of_a_large_request(make, dtype):
    model = make(noise=True).to(dtype)
    y, accuracy = data(model, 10, dtype=dtype), {torch.float32: 1e-4, torch.float64: 1e-11}[dtype]
    whole = model.sample(10, rng=0), model.log_prob_bound(y, 4, rng=0)
    calls = []
    model.decoder.register_forward_pre_hook(lambda _, rows: calls.append(len(rows[0])))
    model.rows_at_once = 3
    parts = model.sample(10, rng=0), model.log_prob_bound(y, 4, rng=0)
    assert calls == [3, 3, 3, 1] * 5
    for found, expected in zip(parts, whole, strict=True):
        assert found.dtype == dtype
        assert torch.allclose(found, expected, rtol=accuracy, atol=accuracy)


@BOTH
def test_an_empty_batch_gives_empty_results(make):
    model = make()
    y = data(model, 0)
    assert model.loss(y, rng=0).shape == model.log_prob_bound(y, rng=0).shape == (0,)
    assert model.sample(0, rng=0).shape == model.reconstruct(y).shape == (0, *model.event_shape)
    assert [part.shape for part in model.encode(y)] == [(0, model.latent)] * 2


@BOTH
def test_a_seed_gives_one_result_and_the_global_state_is_left_alone(make):
    before = torch.random.get_rng_state()
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    y = data(first, 4)
    assert torch.equal(first.sample(5, rng=3), again.sample(5, rng=3))
    assert not torch.equal(first.sample(5, rng=3), other.sample(5, rng=3))
    assert not torch.equal(first.sample(5), first.sample(5))
    assert torch.equal(first.log_prob_bound(y, 2, rng=3), again.log_prob_bound(y, 2, rng=3))
    assert torch.equal(torch.random.get_rng_state(), before)


@BOTH
def test_the_model_is_the_same_in_other_units(make):
    """Data times 1000 plus 5 give samples times 1000 plus 5, the same loss, and a density smaller by the volume."""
    plain, other = make(noise=True).double(), make(noise=True).double()
    y = data(plain, 30, dtype=torch.float64)
    plain.prepare(y)
    other.prepare(1000 * y + 5)
    assert torch.allclose(other.sample(4, rng=0), 1000 * plain.sample(4, rng=0) + 5, rtol=1e-9)
    assert torch.allclose(other.loss(1000 * y + 5, rng=0), plain.loss(y, rng=0), rtol=1e-9)
    bounds = other.log_prob_bound(1000 * y + 5, 2, rng=0), plain.log_prob_bound(y, 2, rng=0)
    assert torch.allclose(bounds[0], bounds[1] - math.prod(plain.event_shape) * math.log(1000), rtol=1e-9)


def test_vectors_are_standardised_entry_by_entry_and_images_channel_by_channel():
    y = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 8.0], [3.0, 4.0]]])  # two rows of shape (2, 2)
    entries = vectors(event_shape=(2, 2))
    entries.prepare(y)
    assert entries.mean.tolist() == [[3, 5], [3, 4]]
    assert entries.scale.tolist() == [[2, 3], [1, 1]]  # what does not vary keeps 1
    channels = images(event_shape=(2, 1, 2))
    channels.prepare(y[:, :, None])
    assert channels.mean.flatten().tolist() == [4, 3.5]
    assert torch.allclose(channels.scale.flatten(), torch.tensor([7.5**0.5, 0.5]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_that_rounding_blurs_has_scale_one(dtype):
    """The mean of many 0.1 is not 0.1, so that their computed deviation is not zero."""
    model = vectors(event_shape=(1,)).to(dtype)
    model.prepare(torch.full((1000, 1), 0.1, dtype=dtype))
    assert model.scale.item() == 1


@BOTH
@pytest.mark.parametrize(
    ("dtype", "size", "works"),
    [
        (torch.float32, 0.0, True),
        (torch.float32, 1e-40, True),
        (torch.float32, 1e36, True),
        (torch.float32, 3e38, False),
        (torch.float64, 1e-150, True),
        (torch.float64, 1e-200, False),
        (torch.float64, 1e150, True),
        (torch.float64, 1e200, False),
    ],
)
def test_data_of_any_size_are_standardised_or_refused(make, dtype, size, works):
    model = make().to(dtype)
    y = (size * (2 * torch.rand(50, *model.event_shape, generator=torch.Generator().manual_seed(0)).double() - 1)).to(
        dtype
    )
    if works:
        model.prepare(y)
        assert model.loss(y, rng=0).mean() < 10
        assert torch.isfinite(model.log_prob_bound(y, 2, rng=0)).all()
        assert torch.isfinite(model.sample(5, rng=0)).all()
    else:
        with pytest.raises(tain.DataError, match=r"have a mean or deviation beyond the limits of .* Use other units"):
            model.prepare(y)
        assert (model.mean == 0).all()
        assert (model.scale == 1).all()


@BOTH
def test_autocast_changes_the_networks_alone(make):
    """Losses and bounds are float32 sums of what networks say in bfloat16, so near to those without; weights learn."""
    model = make(beta=0.1)
    y = data(model, 20)
    model.prepare(y)
    exact = [model.loss(y, rng=0), model.log_prob_bound(y, 3, rng=0), *model.encode(y), model.reconstruct(y)]
    with torch.autocast("cpu", torch.bfloat16):
        found = [model.loss(y, rng=0), model.log_prob_bound(y, 3, rng=0), *model.encode(y), model.reconstruct(y)]
        assert model.sample(3, rng=0).dtype == torch.float32
    for near, value in zip(found, exact, strict=True):
        assert near.dtype == torch.float32
        assert not torch.equal(near, value)
        assert torch.allclose(near, value, rtol=0.03, atol=0.03)
    found[0].sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


@BOTH
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own, compiling
def test_compiled_code_is_not_broken_to_look_at_numbers(make):
    model = make()
    y = data(model, 4)
    standardised = torch.compile(model.standardised, backend="eager", fullgraph=True)
    assert torch.equal(standardised(y), model.standardised(y))
    assert torch.allclose(torch.compile(model, backend="eager")(y, 0), model(y, 0))


def test_a_new_network_of_images_tells_them_apart():
    """Layers that start too small leave the image of one sample to be that of all."""
    model = images(event_shape=(1, 28, 28), latent=128, width=32)
    y = data(model, 50)
    assert (model.encode(y)[0].std(0) > 0.05).all()
    assert model.reconstruct(y).std(0).mean() > 0.01


@BOTH
def test_noise_adds_the_variance_beta_in_standardised_units(make):
    n = 4000
    noisy, plain = make(noise=True, beta=0.04).double(), make(noise=False, beta=0.04).double()
    for model in (noisy, plain):
        model.prepare(7 * data(model, 50, dtype=torch.float64))
    noise = (noisy.sample(n, rng=0) - plain.sample(n, rng=0)) / noisy.scale
    assert abs(noise.std().item() - 0.2) < 0.2 * 5 / (2 * noise.numel()) ** 0.5


@BOTH
def test_posterior_scales_are_between_zero_and_one_for_any_input(make):
    model = make()
    model.prepare(data(model, 20))
    mean, scale = model.encode(1e6 * data(model, 20))
    assert torch.isfinite(mean).all()
    assert ((scale >= 0) & (scale <= 1)).all()
    assert torch.isfinite(model.loss(1e6 * data(model, 20), rng=0)).all()


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_from_a_checkpoint_to_the_bit(make, dtype, tmp_path):
    model = make(noise=True).to(dtype)
    model.prepare(3 + data(model, 10, dtype=dtype))
    tain.save(model, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    assert torch.equal(loaded.sample(4, rng=0), model.sample(4, rng=0))
    assert loaded.sample(1, rng=0).dtype == dtype


def test_it_learns_a_curve():
    """A circle of radius 3, sampled from a latent line: samples are near it, all around, and reconstructed."""
    angle = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
    y = 3 * torch.cat((angle.cos(), angle.sin()), dim=1)
    model = VectorVAE((2,), latent=2, width=64, blocks=1, beta=0.01)
    model.prepare(y)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    before = model.log_prob_bound(y, 4, rng=0).mean()
    for step in range(300):
        optimizer.zero_grad()
        model.loss(y, rng=step).mean().backward()
        optimizer.step()
    assert model.log_prob_bound(y, 4, rng=0).mean() > before + 1
    assert (model.reconstruct(y) - y).norm(dim=1).mean() < 0.3
    samples = model.sample(2000, rng=0)
    assert samples.mean(0).norm() < 0.5
    assert (samples.norm(dim=1) - 3).abs().median() < 0.6


@pytest.mark.parametrize(
    ("shape", "smallest"), [((1, 28, 28), (4, 4)), ((3, 64, 64), (4, 4)), ((1, 1, 1), (1, 1)), ((4, 5, 100), (3, 4))]
)
def test_five_layers_halve_axes_that_are_long_enough(shape, smallest):
    found = levels(shape, 8)
    assert len(found) == 6
    assert found[-1][1:] == smallest
    model = ImageVAE(shape, latent=2, width=2)
    assert model.reconstruct(data(model, 2)).shape == (2, *shape)


@BOTH
@pytest.mark.parametrize("method", ["prepare", "loss", "log_prob_bound", "encode", "reconstruct"])
def test_what_is_no_sample_is_refused(make, method):
    model = make()
    y = data(model, 3)
    with pytest.raises(tain.ShapeError, match=r"samples have shape \(3, 1\), but must have \(B, 2, "):
        getattr(model, method)(torch.zeros(3, 1))
    with pytest.raises(tain.ShapeError, match=r"samples have dtype torch.float64, but .* Use samples.to\(torch.fl"):
        getattr(model, method)(y.double())
    y[1, 1, 2] = torch.nan
    with pytest.raises(tain.DataError, match=r"row 1 of the samples has nan at \(1, 2.*\), but must be finite"):
        getattr(model, method)(y)


@BOTH
def test_what_is_no_latent_is_refused(make):
    with pytest.raises(tain.ShapeError, match=r"latents have shape \(3, 7\), but must have \(B, "):
        make().decode(torch.zeros(3, 7))
    with pytest.raises(tain.DataError, match=r"row 0 of the latents has inf at \(0,\)"):
        make().decode(torch.full((1, make().latent), torch.inf))


@BOTH
def test_no_training_data_are_refused(make):
    with pytest.raises(tain.DataError, match="prepare: there are 0 rows, but at least 1 is needed"):
        make().prepare(data(make(), 0))


@pytest.mark.parametrize(
    ("make", "change", "message"),
    [
        (vectors, {"beta": 0.0}, "'beta' is 0.0, but must be at least 1e-12"),
        (images, {"beta": math.inf}, "'beta' is inf, but must be at most"),
        (vectors, {"event_shape": ()}, r"'event_shape' is empty, but must have at least 1 entry"),
        (vectors, {"latent": 0}, "'latent' is 0, but must be at least 1"),
        (vectors, {"width": 1}, "'width' is 1, but must be at least 2"),
        (images, {"event_shape": (28, 28)}, "'event_shape' has 2 entries, but must have 3"),
        (images, {"event_shape": (1, 28, 0)}, r"'event_shape'\[2\] is 0, but must be at least 1"),
    ],
)
def test_a_bad_configuration_is_refused(make, change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        make(**change)
