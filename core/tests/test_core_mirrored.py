"""The mirrored generator: its loss, samples and density are those of the mirror images."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

import tain
from tain import MissingCapabilityError, OutsideSetError, ShapeError
from tain.randomness import generator, standard_normal


class Positive(tain.Constraint):
    """Vectors of positive numbers."""

    event_ndim = 1

    def __init__(self, size: int | None = None):
        super().__init__()
        self.event_shape = None if size is None else (size,)

    def distance(self, x):
        return (-x).clamp(min=0).sum(-1)


class Logarithm(tain.Legendre):
    """The potential x log x - x, whose gradient is the logarithm."""

    def __init__(self, constraint: Positive):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        self.constraint.require(x)
        return x.log()

    def inverse(self, y):
        return y.exp()

    def potential(self, x):
        return (x * x.log() - x).sum(-1)

    def conjugate(self, y):
        return y.exp().sum(-1)

    def log_det(self, x):
        return -x.log().sum(-1)

    def hessian_vector(self, x, v):
        return v / x

    def inverse_hessian_vector(self, x, w):
        return w * x


class Clipping(tain.Projective):
    def __init__(self, constraint: Positive):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        return x

    def inverse(self, y):
        return y.clamp(min=0)


class Dropping(tain.MirrorMap):
    """Drops the last entry, which one minus the others gives back."""

    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        return x[:, :-1]

    def inverse(self, y):
        return torch.cat([y, 1 - y.sum(1, keepdim=True)], 1)

    def mirror_shape(self, event_shape):
        return (event_shape[0] - 1,)

    def primal_shape(self, mirror_shape):
        return (mirror_shape[0] + 1,)


class Gaussian(tain.Density):
    """Independent normal numbers."""

    def __init__(self, event_shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0):
        super().__init__()
        self.event_shape = event_shape
        self.mean = nn.Parameter(torch.full(event_shape, mean))
        self.std = std
        self.prepared = None

    def prepare(self, y):
        self.prepared = y

    def loss(self, y, *, rng=None):
        noise = standard_normal(tuple(y.shape), generator(rng), y)
        return (y - self.mean + noise).square().flatten(1).sum(1)

    def sample(self, n, *, rng=None):
        return self.mean + self.std * standard_normal((n, *self.event_shape), generator(rng), self.mean)

    def log_prob(self, y):
        return torch.distributions.Normal(self.mean, self.std).log_prob(y).flatten(1).sum(1)


class Silent(tain.Generator):
    """A generator without a density."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape

    def loss(self, y, *, rng=None):
        return y.flatten(1).sum(1)

    def sample(self, n, *, rng=None):
        return torch.zeros(n, *self.event_shape)


X = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.25, 4.0]])


def model(**keywords):
    return tain.Mirrored(Logarithm(Positive(3)), Gaussian((3,), **keywords))


def test_the_loss_is_the_generators_on_mirror_images():
    made = model(mean=0.5)
    expected = made.generator.loss(X.log(), rng=3)
    assert torch.equal(made.loss(X, rng=3), expected)
    assert torch.equal(made(X, rng=3), expected)
    assert expected.shape == (2,)
    made.loss(X, rng=3).sum().backward()
    assert made.generator.mean.grad is not None


def test_preparing_takes_mirror_images():
    made = model()
    made.prepare(X)
    assert torch.equal(made.generator.prepared, X.log())


def test_samples_come_back_through_the_inverse():
    made = model(mean=0.5)
    assert torch.equal(made.sample(5, rng=7), made.generator.sample(5, rng=7).exp())
    assert made.event_shape == (3,)
    assert made.sample(0).shape == (0, 3)
    assert made.mirror.constraint.contains(made.sample(100, rng=1)).all()


@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(0.1, 3), st.lists(st.floats(0.01, 50), min_size=3, max_size=3))
def test_the_density_of_a_gaussian_behind_a_logarithm_is_log_normal(mean, std, values):
    x = torch.tensor([values], dtype=torch.float64)
    made = model(mean=mean, std=std).double()
    oracle = torch.distributions.LogNormal(torch.tensor(mean, dtype=torch.float64), std).log_prob(x).sum(1)
    # The generator's parameter was float32 before .double(), which is all the difference.
    torch.testing.assert_close(made.log_prob(x).detach(), oracle, rtol=1e-5, atol=1e-4)


def test_the_density_integrates_to_one():
    made = tain.Mirrored(Logarithm(Positive(1)), Gaussian((1,))).double()
    x = torch.linspace(1e-4, 60, 200_001, dtype=torch.float64)[:, None]
    total = torch.trapezoid(made.log_prob(x).exp(), x[:, 0]).item()
    assert math.isclose(total, 1, abs_tol=1e-3)


def test_the_density_goes_through_one_mirrored_generator_within_another():
    class Squaring(Logarithm):
        """Of positive vectors to positive vectors: y = x^2 / 2, for the test's sake."""

        def forward(self, x):
            return x.square() / 2

        def inverse(self, y):
            return (2 * y).sqrt()

        def log_det(self, x):
            return x.log().sum(-1)

    nested = tain.Mirrored(Squaring(Positive(3)), model())
    expected = model().log_prob(X.square() / 2) + X.log().sum(-1)
    torch.testing.assert_close(nested.log_prob(X), expected)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (tain.Mirrored(Clipping(Positive(3)), Gaussian((3,))), "Clipping is not a bijective mirror map"),
        (tain.Mirrored(Logarithm(Positive(3)), Silent((3,))), "Silent is not a generator with a Density"),
        (tain.Mirrored(Clipping(Positive(3)), Silent((3,))), "Clipping is not a bijective mirror map"),
    ],
    ids=["mirror", "generator", "both"],
)
def test_a_missing_density_names_the_side_that_lacks_it(made, words):
    with pytest.raises(MissingCapabilityError, match=f"^Mirrored.log_prob: {words}"):
        made.log_prob(X)


def test_samples_outside_of_the_set_are_refused():
    with pytest.raises(OutsideSetError, match="1 of 2 samples are outside, the worst row 1 by 1"):
        model().loss(torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]]))


def test_a_generator_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"Gaussian has event_shape \(4,\).*samples of shape \(4,\).*Positive.*\(3,\)"):
        tain.Mirrored(Logarithm(Positive(3)), Gaussian((4,)))
    with pytest.raises(ShapeError, match=r"event_shape \(3,\).*shape \(4,\).*shape \(3,\), and mirror images.*\(2,\)"):
        tain.Mirrored(Dropping(Positive(3)), Gaussian((3,)))
    with pytest.raises(ShapeError, match=r"samples of shape \(2, 2\), but those of Positive have 1 dimensions"):
        tain.Mirrored(Logarithm(Positive()), Gaussian((2, 2)))


def test_the_shape_of_samples_is_that_of_the_primal_space():
    assert tain.Mirrored(Dropping(Positive(3)), Gaussian((2,))).event_shape == (3,)
    assert tain.Mirrored(Logarithm(Positive()), Gaussian((2,))).event_shape == (2,)


def test_wrong_parts_are_refused_by_name():
    with pytest.raises(tain.ConfigurationError, match=r"Mirrored: 'mirror' is Silent\(\) .* must be a MirrorMap"):
        tain.Mirrored(Silent((3,)), Silent((3,)))
    with pytest.raises(tain.ConfigurationError, match=r"Mirrored: 'generator' \(models the mirror images\) is missing"):
        tain.Mirrored(Logarithm(Positive(3)))


def test_a_mirrored_generator_can_be_built_from_tables():
    for kind, name, target in (
        ("constraint", "positive", Positive),
        ("mirror-map", "logarithm", Logarithm),
        ("generator", "gaussian", Gaussian),
    ):
        tain.register(kind, tain.Component(name, target))
    made = tain.create(
        "generator",
        "mirrored",
        mirror={"name": "logarithm", "constraint": {"name": "positive", "size": 2}},
        generator={"name": "gaussian", "event_shape": [2]},
    )
    assert isinstance(made, tain.Mirrored)
    assert made.event_shape == (2,)


def test_the_pairing_is_the_inner_product():
    assert Logarithm(Positive()).pairing(X, X).tolist() == X.square().sum(1).tolist()
