"""The operators: adjoints, values known otherwise, and what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_dps import Blur, DeepInverse, Downsample, RadialFourier, RandomProjection, Select, Snapshots


class Halves:
    """Stands for a linear physics object of DeepInverse: the first half of each sample, doubled."""

    def A(self, x, **_):  # noqa: N802 (as DeepInverse names it)
        return 2 * x[..., : x.shape[-1] // 2]

    def A_adjoint(self, y, **_):  # noqa: N802 (as DeepInverse names it)
        return torch.cat((2 * y, torch.zeros_like(y)), -1)


CASES = {
    "select": (Select(torch.tensor([[[True, False, True], [False, False, True]]])), (1, 2, 3)),
    "snapshots": (Snapshots((0, 3, -2), total=6), (2, 6, 5)),
    "snapshots of vectors": (Snapshots((1,), total=3, axis=0), (3,)),
    "downsample": (Downsample(3), (2, 6, 9)),
    "downsample signals": (Downsample(2, axes=1), (4,)),
    "blur": (Blur(1.3), (2, 5, 8)),
    "blur signals": (Blur(0.6, axes=1), (3, 7)),
    "projection": (RandomProjection((2, 3, 4), count=7, seed=3), (2, 3, 4)),
    "radial": (RadialFourier((2, 9, 12), lines=5), (2, 9, 12)),
    "deepinverse": (DeepInverse(Halves()), (3, 6)),
}


def normal(rows, shape, seed):
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(name=st.sampled_from(sorted(CASES)), rows=st.integers(1, 4), seed=st.integers(0, 999))
def test_adjoint_identity(name, rows, seed):
    """<A x, y> = <x, A' y> for each row."""
    operator, shape = CASES[name]
    x = normal(rows, shape, seed)
    measured = operator(x)
    y = normal(rows, measured.shape[1:], seed + 1)
    back = operator.adjoint(y)
    assert back.shape == x.shape
    assert back.dtype == x.dtype
    assert torch.allclose((measured * y).flatten(1).sum(1), (x * back).flatten(1).sum(1), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_adjoint_is_the_gradient(name):
    operator, shape = CASES[name]
    x = normal(2, shape, 0).requires_grad_()
    measured = operator(x)
    y = normal(2, measured.shape[1:], 1)
    (slope,) = torch.autograd.grad(measured, x, y)
    assert torch.allclose(slope, operator.adjoint(y), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", sorted(CASES))
def test_float32_stays(name):
    operator, shape = CASES[name]
    assert operator(normal(1, shape, 0).float()).dtype == torch.float32


def test_blur_is_the_convolution_with_a_wrapped_gaussian():
    size, width = 16, 1.5
    point = torch.zeros(1, size, dtype=torch.float64)
    point[0, 3] = 1
    places = torch.arange(size, dtype=torch.float64) - 3
    wrapped = sum(torch.exp(-((places + size * k) ** 2) / (2 * width**2)) for k in range(-4, 5))
    expected = wrapped / (width * math.sqrt(2 * math.pi))
    assert torch.allclose(Blur(width, axes=1)(point)[0], expected, atol=1e-5)  # one is sampled, the other cut off


def test_radial_samples_are_those_of_the_transform_along_the_first_line():
    image = normal(1, (1, 8, 8), 0)
    operator = RadialFourier((1, 8, 8), lines=1)
    row = torch.fft.fft2(image, norm="ortho")[0, 0, 0]
    kept = [0, 1, 2, 3, 5, 6, 7]  # from -3 to 3; of even sizes, the highest frequency is of neither sign
    assert torch.allclose(operator(image)[0, 0], torch.stack((row.real[kept], row.imag[kept])))


def test_more_lines_measure_more_and_none_twice():
    counts = [len(RadialFourier((1, 32, 32), lines).index.unique()) for lines in (1, 4, 16)]
    assert counts == [len(RadialFourier((1, 32, 32), lines).index) for lines in (1, 4, 16)]
    assert counts == sorted(set(counts))


def test_projections_keep_lengths_on_average_and_follow_their_seed():
    x = normal(1, (50,), 0)
    lengths = torch.stack([RandomProjection((50,), 20, seed)(x).square().sum() for seed in range(200)])
    assert abs(lengths.mean() / x.square().sum() - 1) < 0.1
    assert torch.equal(RandomProjection((4,), 2, 1).matrix, RandomProjection((4,), 2, 1).matrix)
    assert not torch.equal(RandomProjection((4,), 2, 1).matrix, RandomProjection((4,), 2, 2).matrix)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Select(torch.zeros(3)), "keeps none"),
        (lambda: Snapshots((0, 8), total=8), "from 0 to 7"),
        (lambda: Snapshots((0, -8), total=8), "once"),
        (lambda: Downsample(0), "at least 1"),
        (lambda: Blur(0.0), "above 0"),
        (lambda: DeepInverse(object()), "no method A"),
    ],
)
def test_wrong_settings_are_refused(make, words):
    with pytest.raises(tain.ConfigurationError, match=words):
        make()


@pytest.mark.parametrize(
    ("operator", "shape"),
    [
        (Select(torch.ones(3)), (2, 4)),
        (Snapshots((0,), total=3), (2, 1, 4, 5)),
        (Snapshots((0,), total=3), (2, 1)),
        (Downsample(2), (2, 1, 4, 5)),
        (Downsample(2), (2, 4)),
        (Blur(1.0), (4, 4)),
        (RandomProjection((3,), 2), (3,)),
        (RadialFourier((1, 4, 4), 2), (2, 1, 4, 5)),
    ],
)
def test_wrong_shapes_are_refused(operator, shape):
    with pytest.raises(tain.ShapeError, match=r"takes|multiples"):
        operator(torch.zeros(shape))


def test_physics_without_adjoint_and_of_several_tensors():
    class Square:
        def A(self, x):  # noqa: N802 (as DeepInverse names it)
            return x.square()

    class Two:
        def A(self, x):  # noqa: N802 (as DeepInverse names it)
            return [x, x]

    assert torch.equal(DeepInverse(Square())(torch.full((1, 2), 3.0)), torch.full((1, 2), 9.0))
    with pytest.raises(tain.MissingCapabilityError, match="no A_adjoint"):
        DeepInverse(Square()).adjoint(torch.ones(1, 2))
    with pytest.raises(tain.ShapeError, match="must give one tensor"):
        DeepInverse(Two())(torch.ones(1, 2))


def test_objects_of_deepinverse():
    """With the library itself, if it is installed: an operator with noise of its own is used without it."""
    deepinv = pytest.importorskip("deepinv", exc_type=ImportError)
    mask = torch.ones(1, 4, 4)
    mask[:, 1:3] = 0
    physics = deepinv.physics.Inpainting((1, 4, 4), mask=mask, noise_model=deepinv.physics.GaussianNoise(1.0))
    operator, x = DeepInverse(physics), torch.rand(2, 1, 4, 4)
    assert torch.equal(operator(x), x * mask)
    y = torch.rand(2, 1, 4, 4)
    assert torch.allclose((operator(x) * y).sum(), (x * operator.adjoint(y)).sum())
