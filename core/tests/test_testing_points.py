"""Random points of sets, and the hypothesis strategies that draw them."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain.testing import NotApplicable, points, strategies
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain.testing.subjects import Subject

quickly = settings(max_examples=20, deadline=None, derandomize=True, database=None)
DTYPES = (torch.float32, torch.float64)


class Disc(tain.Constraint):
    """A disc of which only the distance is known."""

    event_ndim = 1
    event_shape = (2,)

    def distance(self, x):
        return (x.square().sum(1).clamp(min=1).sqrt() - 1).relu()


class ProjectableDisc(Disc, tain.Projectable):
    def project(self, x):
        return x / x.square().sum(1, keepdim=True).clamp(min=1).sqrt()


class DrawnDisc(ProjectableDisc, tain.Interior):
    def interior(self, n, *, rng=None, dtype=None):
        normal = torch.randn((n, 2), generator=rng, dtype=dtype)
        return normal / (0.1 + normal.norm(dim=1, keepdim=True))


class DiscMap(tain.MirrorMap):
    def __init__(self):
        super().__init__()
        self.constraint = Disc()

    def forward(self, x):
        return x / (1 - x.norm(dim=1, keepdim=True))

    def inverse(self, y):
        return y / (1 + y.norm(dim=1, keepdim=True))


class Empty(Disc):
    def distance(self, x):
        return 1 + 0 * x.sum(1)


@pytest.mark.parametrize(
    "subject",
    [
        Subject(Disc()),
        Subject(Disc(), start=torch.zeros(2)),
        Subject(Disc(), points=lambda n, *, rng, dtype: torch.rand((n, 2), generator=rng, dtype=dtype) / 2),
        Subject(ProjectableDisc()),
        Subject(DrawnDisc()),
        Subject(DiscMap()),
        Subject(tain.Mirrored(DiscMap(), Gaussian((0.0, 0.0), (1.0, 1.0)))),
    ],
    ids=["descent", "hit-and-run", "points", "projection", "interior", "mirror", "mirrored"],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_points_of_a_disc(subject, dtype):
    def rng():
        return torch.Generator().manual_seed(3)

    inside = points.inside(subject, 50, rng(), dtype)
    assert inside.shape == (50, 2)
    assert inside.dtype == dtype
    assert Disc().contains(inside).all()
    assert len(inside.unique(dim=0)) == 50
    assert torch.equal(inside, points.inside(subject, 50, rng(), dtype))
    assert not Disc().contains(points.outside(subject, 50, rng(), dtype)).any()
    edge = points.on_boundary(subject, 50, rng(), dtype)
    assert (edge.norm(dim=1) - 1).abs().max() < 1e-5
    near = points.near_boundary(subject, 50, rng(), dtype)
    assert Disc().contains(near).all()
    assert (near.norm(dim=1) > 0.99).any()
    assert near.dtype == dtype


def test_hit_and_run_goes_everywhere():
    subject = Subject(Disc(), start=torch.tensor([0.9, 0.0]))
    x = points.inside(subject, 400, torch.Generator().manual_seed(0), torch.float64)
    assert (x.mean(0).abs() < 0.1).all()
    assert 0.4 < (x.norm(dim=1) > 0.7).double().mean() < 0.65  # 0.51 of the area


def test_what_cannot_be_found_is_said():
    rng = torch.Generator()
    with pytest.raises(NotApplicable, match="no point inside was found; give points="):
        points.inside(Subject(Empty()), 2, rng, torch.float64)
    with pytest.raises(NotApplicable, match="no point outside was found"):
        points.outside(Subject(Identity()), 2, rng, torch.float64)
    with pytest.raises(NotApplicable, match="no boundary was found"):
        points.on_boundary(Subject(Identity()), 2, rng, torch.float64)
    with pytest.raises(NotApplicable, match="Gaussian has no constraint"):
        points.outside(Subject(Gaussian((0.0,), (1.0,))), 2, rng, torch.float64)


@quickly
@given(x=strategies.points_inside(DrawnDisc()), shape=strategies.batch_shapes((2,)))
def test_strategy_of_points_inside(x, shape):
    assert 1 <= len(x) <= 5
    assert DrawnDisc().contains(x).all()
    assert 0 <= shape[0] <= 5
    assert shape[1:] == (2,)


@quickly
@given(
    near=strategies.points_near_boundary(DrawnDisc(), rows=3),
    on=strategies.points_on_boundary(DrawnDisc(), rows=2),
    out=strategies.points_outside(Disc(), start=torch.zeros(2)),
)
def test_other_strategies_of_points(near, on, out):
    assert near.shape == (3, 2)
    assert DrawnDisc().contains(near).all()
    assert torch.allclose(on.norm(dim=1), torch.ones(2, dtype=on.dtype))
    assert not Disc().contains(out).any()


@quickly
@given(y=strategies.mirror_points((3,), rows=7))
def test_mirror_points_are_of_any_size(y):
    assert y.shape == (7, 3)
    assert torch.isfinite(y).all()
    assert math.isclose(float(y.abs().max()), 1e30, rel_tol=1e-6)
    assert (y == 0).all(1).any()


@quickly
@given(
    dtype=st.from_type(torch.dtype),
    constraint=st.from_type(tain.Constraint),
    mirror=st.from_type(tain.Legendre),
    generator=st.from_type(tain.Generator),
)
def test_registered_types(dtype, constraint, mirror, generator):
    assert dtype in DTYPES
    assert isinstance(constraint, tain.Constraint)
    assert tain.supports(mirror, tain.Legendre)
    assert isinstance(generator, tain.Mirrored)


def test_a_capability_that_nothing_installed_has():
    from tain.testing.strategies import components

    with pytest.raises(tain.MissingCapabilityError, match="No installed component with examples is Learned"):
        given(components(tain.Learned))(lambda mirror: None)()


def test_the_exact_gaussian():
    model = Gaussian((0.5, -1.0), (1.0, 2.0))
    y = model.sample(5, rng=0)
    expected = torch.distributions.Normal(torch.tensor([0.5, -1.0]), torch.tensor([1.0, 2.0])).log_prob(y).sum(1)
    torch.testing.assert_close(model.log_prob(y), expected)
    assert Anything().contains(y).all()
