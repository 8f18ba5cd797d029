"""The U-Net: what must hold whatever its weights."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_diffusion.unet import UNet


def stirred(event_shape=(2, 8, 12), seed=0, **arguments):
    """A small U-Net in double precision, none of whose weights is zero."""
    network = UNet(event_shape, **({"channels": (4, 8), "layers": 1} | arguments)).double()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=rng, dtype=weight.dtype))
    return network


def batch(rows=3, event_shape=(2, 8, 12), seed=1):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(rows, *event_shape, generator=rng).double(), torch.rand(rows, generator=rng).double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padding", ["zeros", "periodic"])
@pytest.mark.parametrize(
    ("event_shape", "channels", "attention"),
    [
        ((1, 5, 7), (4,), ()),  # one level: any size
        ((4, 8, 4), (8, 4, 8), (2,)),  # down to a single row of two pixels
        ((3, 4, 4), (12, 20, 4), ()),  # down to a single pixel, channels with few common divisors
    ],
)
def test_a_new_network_is_zero_on_images_of_every_shape(event_shape, channels, attention, padding, dtype):
    network = UNet(event_shape, channels=channels, layers=1, attention=attention, padding=padding).to(dtype)
    z, t = (tensor.to(dtype) for tensor in batch(1, event_shape))
    result = network(z, t)
    assert result.dtype == dtype
    assert torch.equal(result, torch.zeros_like(z))
    moved = stirred(event_shape, channels=channels, attention=attention, padding=padding)
    assert moved(z.double(), t.double()).abs().min() > 0


@settings(deadline=None, derandomize=True, max_examples=10)
@given(rows=st.integers(-3, 3), columns=st.integers(-3, 3), seed=st.integers(0, 2**32), attends=st.booleans())
def test_a_periodic_network_commutes_with_shifts_by_its_stride(rows, columns, seed, attends):
    network = stirred(seed=seed, padding="periodic", attention=(1,) if attends else ())
    z, t = batch(seed=seed)
    shift = {"shifts": (2 * rows, 2 * columns), "dims": (2, 3)}
    assert torch.allclose(network(z.roll(**shift), t), network(z, t).roll(**shift), rtol=1e-9, atol=1e-9)


def test_three_levels_commute_with_shifts_by_four_and_not_by_two():
    network = stirred(channels=(4, 4, 4), padding="periodic")
    z, t = batch()
    result = network(z, t)
    assert torch.allclose(network(z.roll(4, 3), t), result.roll(4, 3), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(network(z.roll(2, 3), t), result.roll(2, 3), rtol=1e-2, atol=1e-2)


def test_zeros_beyond_the_edges_tell_where_they_are():
    network = stirred()
    z, t = batch()
    assert not torch.allclose(network(z.roll(2, 3), t), network(z, t).roll(2, 3), rtol=1e-2, atol=1e-2)


@settings(deadline=None, derandomize=True, max_examples=10)
@given(rows=st.integers(2, 5), row=st.integers(0, 4), seed=st.integers(0, 2**32))
def test_a_sample_does_not_depend_on_its_batch(rows, row, seed):
    network = stirred(seed=seed, attention=(1,))
    z, t = batch(rows, seed=seed)
    alone = slice(row % rows, row % rows + 1)
    assert torch.allclose(network(z, t)[alone], network(z[alone], t[alone]), rtol=1e-9, atol=1e-9)


def test_time_and_condition_reach_every_pixel():
    network = stirred(features=3)
    (z, t), condition = batch(1), torch.ones(1, 3).double()
    result = network(z, t, condition)
    assert ((network(z, t + 0.1, condition) - result).abs() > 0).all()
    assert ((network(z, t, 2 * condition) - result).abs() > 0).all()


@pytest.mark.parametrize("attention", [(), (0, 1)])
def test_every_weight_has_a_gradient(attention):
    network = stirred(attention=attention, features=3)
    z, t = batch()
    network(z, t, torch.ones(3, 3).double()).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize(
    ("event_shape", "change", "message"),
    [
        ((8,), {}, r"'event_shape' is \(8,\), but must be that of an image"),
        ((1, 30, 8), {}, "height is 30, but must be a multiple of 4.* 28 or 32, or give .channels. for fewer levels"),
        ((1, 8, 3), {}, "width is 3, but must be a multiple of 4.* to 4, or"),
        ((1, 8, 8), {"channels": ()}, r"'channels' is \(\), but must hold one number a level"),
        ((1, 8, 8), {"channels": (8, 2)}, r"'channels' is \(8, 2\), but must .* at least 4"),
        ((1, 8, 8), {"attention": (3,)}, "names level 3, but there are only 0 to 2"),
    ],
)
def test_what_does_not_fit_is_refused(event_shape, change, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        UNet(event_shape, **({"channels": (4, 4, 4)} | change))


@pytest.mark.parametrize("arguments", [((1, 16, 16), (4, 8), 1), ((2, 16, 32), (8, 8, 16), 2)])
def test_the_memory_of_a_gradient_is_about_as_told(arguments):
    network, kept = UNet(*arguments), {}
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # which also keeps its place from being used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = network(torch.zeros(8, *arguments[0]), torch.zeros(8))
    assert result.requires_grad
    numbers = sum(storage.nbytes() for storage in kept.values()) / 4 / 8
    assert 0.5 < UNet.activations(*arguments) / numbers < 2
