"""The forward map is the gradient of a strongly convex function, in every form, and has an exact inverse."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.autograd import gradcheck, gradgradcheck

import tain
from tain_namm import InputConvexGradient, NeuralMirrorMap
from tain_namm.linear import Convolution, Dense

FORMS = {
    "vectors": {"event_shape": (3,)},
    "images": {"event_shape": (2, 4, 6)},
    "periodic images": {"event_shape": (1, 3, 4), "periodic": True},
    "images of many channels": {"event_shape": (5, 3, 3), "layers": 1},
    "images in patches": {"event_shape": (1, 4, 6), "patch": 2},
    "one layer": {"event_shape": (2, 1, 1), "layers": 1},
}
EACH = pytest.mark.parametrize("form", FORMS)


def network(form, seed=0, size=1.0, **changes):
    """In float64, with weights large enough to bend the map."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = InputConvexGradient(**{"width": 4, "layers": 2, **FORMS[form], **changes}).double()
        with torch.no_grad():
            for parameter in (made.of_input.weight, made.bias):
                parameter.copy_(size * torch.randn(parameter.shape))
    return made


def normal(form, rows, seed=0, size=1.0):
    rng = torch.Generator().manual_seed(seed)
    return size * torch.randn(rows, *FORMS[form]["event_shape"], generator=rng, dtype=torch.float64)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    form=st.sampled_from(sorted(FORMS)),
    seed=st.integers(0, 999),
    size=st.sampled_from([0.1, 1.0, 3.0]),
    apart=st.sampled_from([1e-3, 1.0, 30.0]),
    mu=st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_map_is_strongly_monotone(form, seed, size, apart, mu):
    f = network(form, seed, size, strong_convexity=mu)
    a = normal(form, 8, seed)
    b = a + normal(form, 8, seed + 1, apart)
    inner = ((f(a) - f(b)) * (a - b)).flatten(1).sum(1)
    square = (a - b).flatten(1).square().sum(1)
    assert (inner >= mu * square * (1 - 1e-9)).all()
    assert (inner > 1.0001 * mu * square).any()  # the network does something


@EACH
def test_the_map_is_the_gradient_of_its_potential(form):
    f, x = network(form), normal(form, 5).requires_grad_()
    (expected,) = torch.autograd.grad(f.potential(x).sum(), x)
    assert torch.allclose(f(x), expected, rtol=1e-8, atol=1e-8)  # torch's softplus is linear above 20, by 2e-9


@EACH
def test_first_and_second_derivatives(form):
    f, x = network(form, size=0.5), normal(form, 2).requires_grad_()
    weights = dict(f.named_parameters())

    def function(x, *values):
        return torch.func.functional_call(f, dict(zip(weights, values, strict=True)), (x,))

    values = tuple(weights.values())
    assert gradcheck(function, (x, *values), fast_mode=True)
    assert gradgradcheck(function, (x, *values), fast_mode=True)


@EACH
def test_every_weight_and_the_input_have_a_gradient(form):
    f, x = network(form), normal(form, 3).requires_grad_()
    slopes = torch.autograd.grad(f(x).square().sum(), [x, *f.parameters()])
    assert all(slope.abs().sum() > 0 for slope in slopes)


@EACH
def test_it_works_without_gradients_and_in_bfloat16(form):
    f, x = network(form).float(), normal(form, 3).float()
    with torch.no_grad():
        expected = f(x)
    assert torch.equal(f(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        rough = f(x)
    assert rough.dtype == torch.float32  # mu x is not rounded
    assert torch.allclose(rough, expected, rtol=0.05, atol=0.05 * float(expected.abs().max()))


@EACH
def test_new_maps_multiply_by_their_slope(form):
    f = InputConvexGradient(**FORMS[form])
    x = normal(form, 20).float()
    assert (f(x) - f.slope * x).abs().max() < 0.02 * x.abs().max()


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    inputs=st.integers(1, 6),
    outputs=st.integers(1, 5),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    periodic=st.booleans(),
    positive=st.booleans(),
)
def test_transposed_maps(inputs, outputs, height, width, periodic, positive):
    rng = torch.Generator().manual_seed(height)
    image = torch.randn(2, inputs, height, width, generator=rng, dtype=torch.float64)
    other = torch.randn(2, outputs, height, width, generator=rng, dtype=torch.float64)
    for a, x, v in (
        (Convolution(inputs, outputs, periodic, positive), image, other),
        (Dense(inputs, outputs, positive), image[..., 0, 0], other[..., 0, 0]),
    ):
        a.double()
        assert torch.allclose((a(x) * v).sum(), (x * a.transposed(v)).sum(), rtol=1e-10)
        assert not positive or (a.effective() > 0).all()


def test_gathered_convolutions_are_those_of_torch():
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    for periodic in (False, True):
        a = Convolution(3, 7, periodic)
        expected = a._convolved(x, a.weight)
        assert a.gathers
        assert torch.allclose(a(x), expected, atol=1e-6)


class Anything(tain.Constraint):
    """Every sample."""

    def __init__(self, event_ndim: int = 1):
        super().__init__()
        self.event_ndim = event_ndim

    def distance(self, x):
        return 0 * x.flatten(1).sum(1)


def mirror(form, size=1.0):
    shape = FORMS[form]["event_shape"]
    made = NeuralMirrorMap(Anything(len(shape)), shape).double()
    made.forward_map = network(form, size=size)
    made.units.shift.fill_(2.0)
    made.units.scale.fill_(3.0)
    return made


@EACH
@pytest.mark.parametrize("size", [0.1, 2.0])
def test_the_exact_inverse(form, size):
    made, x = mirror(form, size), 2 + 3 * normal(form, 6)
    x[0] *= 10  # some rows are harder than others
    y = made(x)
    found = made.exact_inverse(y, tolerance=1e-10)
    assert torch.allclose(found, x, rtol=0, atol=1e-8)
    assert torch.equal(made.exact_inverse(y[:0]), x[:0])
    alone = torch.cat([made.exact_inverse(row[None], tolerance=1e-10) for row in y])
    assert torch.allclose(alone, found, rtol=0, atol=1e-9)


def test_an_exact_inverse_that_is_not_reached_is_an_error():
    made, x = mirror("vectors", 2.0), normal("vectors", 4)
    with pytest.raises(tain.ConfigurationError, match=r"row \d misses its image by .* after 1 steps"):
        made.exact_inverse(made(x), tolerance=1e-12, max_steps=1)
    resnet = NeuralMirrorMap(Anything(), (3,), forward_map="resnet")
    with pytest.raises(tain.MissingCapabilityError, match="'resnet', which may have no inverse"):
        resnet.exact_inverse(torch.zeros(1, 3))
