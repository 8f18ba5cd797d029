"""Total brightness: the distance, the nearest image by its optimality conditions, and the multiplicative maps."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_analytic import EuclideanProjection, Simplex, SimplexEntropy, SimplexSoftmax
from tain_science import Brightness, BrightnessEntropy, BrightnessSoftmax

each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
POSITIVE = Brightness(120.0, positive=True)


def property_test(function):
    shape = st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(2, 7))
    checked = given(seed=st.integers(0, 2**63 - 1), shape=shape)(function)
    return settings(max_examples=25, deadline=None, derandomize=True, database=None)(checked)


def normal(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def rounding(dtype):
    return 1e-5 if dtype == torch.float32 else 1e-12


@property_test
def test_distance_and_residual(seed, shape):
    x = normal((4, *shape), seed)
    excess = x.sum((1, 2, 3)) - 120
    torch.testing.assert_close(Brightness(120.0).distance(x), excess.abs())
    torch.testing.assert_close(Brightness(120.0).residual(x), excess[:, None])
    torch.testing.assert_close(POSITIVE.distance(x), excess.abs() - x.clamp(max=0).sum((1, 2, 3)))
    torch.testing.assert_close(POSITIVE.residual(x)[:, 1:], -x.clamp(max=0).flatten(1))


@each_dtype
@property_test
def test_the_projection_is_the_nearest_image(dtype, seed, shape):
    """It moves every pixel alike; of a positive image those that stay above 0, and none further that do not."""
    x = 20 * normal((4, *shape), seed, dtype)
    plain, positive = Brightness(120.0).project(x), POSITIVE.project(x)
    assert Brightness(120.0).contains(plain).all()
    assert POSITIVE.contains(positive).all()
    moved = (plain - x).flatten(1)
    limit = 20 * rounding(dtype) * 120
    assert (moved.amax(1) - moved.amin(1) <= limit).all()
    moved, above = (positive - x).flatten(1), positive.flatten(1) > 0
    level = moved.masked_fill(~above, -torch.inf).amax(1, keepdim=True)
    assert ((moved - level).abs()[above] <= limit).all()
    assert (moved >= level - limit).all()


@each_dtype
@pytest.mark.parametrize("rule", [Brightness(120.0), Brightness(0.0), POSITIVE], ids=["to 120", "to 0", "positive"])
def test_images_of_real_size_keep_the_total(rule, dtype):
    """A sum of pixels far larger than the mean is known only to their rounding, which is then no distance."""
    x = normal((5, 1, 64, 64), 1, dtype)
    for size in (1e-3, 1.0, 100.0, 1e10):
        assert rule.contains(rule.project(size * x)).all()
    total = rule.project(x).double().sum((1, 2, 3))
    torch.testing.assert_close(total, torch.full_like(total, rule.total), rtol=1e-6, atol=1e-4)
    assert not rule.contains(torch.full((1, 1, 64, 64), 120.01 / 4096, dtype=dtype)).any()


@each_dtype
@property_test
def test_the_softmax_map_keeps_the_image_and_the_total(dtype, seed, shape):
    mirror, y = BrightnessSoftmax(POSITIVE), 3 * normal((4, *shape), seed, dtype)
    x = mirror.inverse(y)
    assert POSITIVE.contains(x).all()
    assert (x > 0).all()
    torch.testing.assert_close(mirror.inverse(mirror(x)), x, rtol=rounding(dtype), atol=0)
    shares = SimplexSoftmax(Simplex(x[0].numel()))
    torch.testing.assert_close(
        mirror(x).flatten(1), shares(x.flatten(1) / 120), rtol=rounding(dtype), atol=rounding(dtype)
    )
    for size in (1e-30, 1e30):
        assert POSITIVE.contains(mirror.inverse(size * y)).all()


@property_test
def test_both_maps_are_of_one_potential(seed, shape):
    """Potentials, conjugates and pairings do not depend on the coordinates, and are those of gradients."""
    softmax, entropy = BrightnessSoftmax(POSITIVE), BrightnessEntropy(POSITIVE, shape)
    x = softmax.inverse(normal((4, *shape), seed)).requires_grad_()
    for a, b in (
        (softmax.potential(x), entropy.potential(x)),
        (softmax.conjugate(softmax(x)), entropy.conjugate(entropy(x))),
        (softmax.pairing(x, softmax(x)), entropy.pairing(x, entropy(x))),
        (softmax.potential(x) + softmax.conjugate(softmax(x)), softmax.pairing(x, softmax(x))),
    ):
        torch.testing.assert_close(a, b)
    v = normal((4, *shape), seed + 1)
    v = v - v.mean((1, 2, 3), keepdim=True)
    (slope,) = torch.autograd.grad(softmax.potential(x).sum(), x)
    torch.testing.assert_close((slope * v).sum((1, 2, 3)), softmax.pairing(v, softmax(x).detach()))
    torch.testing.assert_close(softmax.inverse_hessian_vector(x, softmax.hessian_vector(x, v)), v)


@property_test
def test_the_volume_of_the_one_to_one_map(seed, shape):
    """log_det is that of the Jacobian in all pixels but the last."""
    mirror = BrightnessEntropy(POSITIVE, shape)
    y = normal((1, *mirror.mirror_shape(shape)), seed)
    jacobian = torch.autograd.functional.jacobian(lambda y: mirror.inverse(y).flatten(1)[0, :-1], y)[:, 0]
    torch.testing.assert_close(mirror.log_det(mirror.inverse(y)), -torch.linalg.slogdet(jacobian).logabsdet[None])


def test_mirror_for_keeps_the_shape_of_images():
    """The first map of positive images has images for mirror images, so that networks of images apply."""
    assert [type(mirror) for mirror in tain.offers(POSITIVE)] == [BrightnessSoftmax, EuclideanProjection]
    assert [type(mirror) for mirror in tain.offers(Brightness(120.0))] == [EuclideanProjection]
    assert tain.mirror_for(POSITIVE).mirror_shape((1, 8, 8)) == (1, 8, 8)
    assert isinstance(BrightnessEntropy(POSITIVE, (1, 8, 8)).shares(64), SimplexEntropy)


def test_dark_pixels_have_finite_images_and_can_be_raised():
    x = torch.tensor([[[[0.0, 30.0], [0.0, 100.0]]]])
    raised = POSITIVE.retract(x, margin=0.1)
    assert POSITIVE.near_boundary(x, 0.1).flatten().tolist() == [True, False, True, False]
    assert POSITIVE.contains(raised).all()
    torch.testing.assert_close(raised.flatten()[:3], torch.tensor([0.1, 119.8 * 30 / 130, 0.1]))
    mirror = BrightnessSoftmax(POSITIVE)
    assert mirror(POSITIVE.retract(x)).isfinite().all()
    torch.testing.assert_close(Brightness(10.0).retract(x), x - 30)


def test_derivatives():
    x = (normal((2, 1, 2, 3)) + 3).requires_grad_()
    for rule in (Brightness(5.0), Brightness(5.0, positive=True)):
        for function in (rule.distance, rule.residual, rule.project):
            assert torch.autograd.gradcheck(function, x)
    softmax = BrightnessSoftmax(Brightness(5.0, positive=True))
    assert torch.autograd.gradcheck(softmax.inverse, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Brightness(0.0, positive=True), r"'total' is 0, but must be above 0"),
        (lambda: Brightness(-2.0, positive=True), r"'total' is -2, but must be above 0"),
        (lambda: Brightness(float("inf")), r"'total' is inf"),
        (lambda: POSITIVE.retract(torch.ones(1, 1, 2, 2), margin=30.0), r"'margin' is 30\.0.*at least 0 and below 30"),
        (lambda: POSITIVE.retract(-torch.ones(1, 1, 2, 2)), r"Brightness\.retract: row 0 sums to -4"),
        (lambda: BrightnessSoftmax(Brightness(2.0)), r"must have positive=True"),
        (lambda: BrightnessEntropy(POSITIVE, (1, 1, 1)), r"'parts' is 1, but must be at least 2"),
        (lambda: BrightnessEntropy(POSITIVE, (1, 2, 2))(torch.ones(1, 1, 4, 1)), r"must have \(B, 1, 2, 2\)"),
        (lambda: BrightnessSoftmax(POSITIVE)(torch.ones(1, 1, 2, 2)), r"row 0"),
        (lambda: POSITIVE.distance(torch.ones(1, 4)), r"one batch dimension and 3 more"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
