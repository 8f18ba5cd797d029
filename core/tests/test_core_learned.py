"""Learned mirror maps: bounds that are measured, kept with the weights, and tried by the kit."""

import copy
import json
import math

import pytest
import safetensors.torch
import torch
from torch import nn

import tain
from tain.checkpoint import load_component, save_component
from tain.testing import points, run_checks
from tain.testing.gaussian import Gaussian
from tain.testing.subjects import Subject


class Nonnegative(tain.Projectable):
    """Pairs of numbers that are not negative."""

    event_ndim = 1
    event_shape = (2,)

    def distance(self, x):
        return (-x).relu().sum(1)

    def project(self, x):
        return x.relu()


class Shifted(tain.Learned):
    """The identity, with an inverse that misses by a weight."""

    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint = constraint
        self.shift = nn.Parameter(torch.tensor(0.25))
        self.rows = []

    def forward(self, x):
        self.constraint.require(x)
        return x

    def inverse(self, y):
        self.rows.append(len(y))
        return y - self.shift

    def loss(self, x, *, rng=None):
        return (self.inverse(self.forward(x)) - x).square().sum(1)


class Beside(tain.Learned):
    """A learned map within a learned map."""

    def __init__(self, inner: tain.Learned):
        super().__init__()
        self.inner, self.constraint = inner, inner.constraint

    def forward(self, x):
        return self.inner(x)

    def inverse(self, y):
        return self.inner.inverse(y)

    def loss(self, x, *, rng=None):
        return self.inner.loss(x, rng=rng)


X = torch.tensor([[1.0, 2.0], [0.125, 3.0]])


@pytest.fixture(autouse=True)
def provided(core_alone):
    for kind, name, target in (
        ("constraint", "nonnegative", Nonnegative),
        ("mirror-map", "shifted", Shifted),
        ("mirror-map", "beside", Beside),
        ("generator", "gaussian", Gaussian),
    ):
        tain.register(kind, tain.Component(name, target))


def test_bounds_are_the_largest_errors():
    mirror = Shifted(Nonnegative())
    assert mirror.bounds == {}
    assert mirror.measure(X) == mirror.bounds == {"distance": 0.125, "round-trip": 0.25}
    assert mirror.measure(X, torch.tensor([[-1.0, 0.0]])) == {"distance": 1.5, "round-trip": 0.25}


def test_the_caller_cannot_change_bounds_by_accident():
    mirror = Shifted(Nonnegative())
    mirror.measure(X)["distance"] = 0.0
    mirror.bounds["distance"] = 0.0
    assert mirror.bounds["distance"] == 0.125


def test_many_points_are_measured_in_pieces_and_all_count():
    mirror = Shifted(Nonnegative())
    x = torch.ones(1000, 2)
    x[777] = 0.0
    assert mirror.measure(x, torch.ones(300, 2)) == {"distance": 0.5, "round-trip": 0.25}
    assert max(mirror.rows) < 300
    assert sum(mirror.rows) == 1300


def test_what_cannot_be_measured_is_refused_and_leaves_the_bounds():
    mirror = Shifted(Nonnegative())
    mirror.measure(X)
    with pytest.raises(tain.ConfigurationError, match=r"Shifted.measure: x has no rows"):
        mirror.measure(X[:0])
    with pytest.raises(tain.OutsideSetError, match="outside"):
        mirror.measure(-X)
    with torch.no_grad():
        mirror.shift.fill_(math.nan)
    with pytest.raises(tain.ConfigurationError, match=r"the bound 'distance' is nan, .* Train the map"):
        mirror.measure(torch.ones(600, 2))
    for bounds, message in (
        ({"distance": -1.0}, "is -1.0, but must be a finite number, at least 0"),
        ({"round-trip": math.inf}, "is inf"),
        ({"round_trip": 1.0}, r"unknown bound 'round_trip'. Did you mean: round-trip\?"),
    ):
        with pytest.raises(tain.ConfigurationError, match=message):
            mirror.record_bounds(bounds)
    assert mirror.bounds == {"distance": 0.125, "round-trip": 0.25}


def test_bounds_come_back_from_a_file_and_a_copy(tmp_path):
    mirror = Shifted(Nonnegative())
    mirror.measure(X)
    save_component(mirror, tmp_path / "m")
    assert load_component(tmp_path / "m").bounds == mirror.bounds
    assert copy.deepcopy(mirror).bounds == mirror.bounds


def test_bounds_of_the_parts_come_back_with_the_whole(tmp_path):
    beside = Beside(Shifted(Nonnegative()))
    beside.record_bounds({"distance": 0.5})
    beside.inner.measure(X)
    tain.save(tain.Mirrored(beside, Gaussian((0.0, 1.0), (1.0, 1.0))), tmp_path / "model")
    loaded = tain.load(tmp_path / "model").mirror
    assert loaded.bounds == {"distance": 0.5}
    assert loaded.inner.bounds == beside.inner.bounds == {"distance": 0.125, "round-trip": 0.25}


def written(path, **changes):
    """The file of an unmeasured map, with changes in its record."""
    save_component(Shifted(Nonnegative()), path)
    with safetensors.safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["tain"])
    assert "bounds" not in record  # as in files that were written before there were any
    safetensors.torch.save_file({"shift": torch.tensor(1.0)}, path, {"tain": json.dumps({**record, **changes})})
    return path


def test_a_file_without_bounds_is_that_of_an_unmeasured_map(tmp_path):
    assert load_component(written(tmp_path / "m")).bounds == {}


@pytest.mark.parametrize(
    "bounds", [{"distance": -1}, {"width": 1}, {"distance": "a"}, {"distance": None}, [1], 7, None]
)
def test_bounds_that_are_none_are_refused_with_the_file(tmp_path, bounds):
    with pytest.raises(tain.CheckpointError) as error:
        load_component(written(tmp_path / "m", bounds=bounds))
    assert str(error.value).startswith(str(tmp_path / "m"))
    assert "\n" not in str(error.value)


class Stretched(Shifted, tain.Finetunable):
    """One whose inverse may be finetuned, while the forward map, with a weight of its own, stays."""

    def __init__(self, constraint: tain.Constraint):
        super().__init__(constraint)
        self.stretch = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return self.stretch * super().forward(x)

    def inverse(self, y):
        return super().inverse(y / self.stretch.detach())

    def finetuning_loss(self, x, y, *, rng=None):
        return self.loss(x, rng=rng) + self.constraint.distance(self.inverse(y))

    def finetuned(self):
        yield self.shift


def test_finetuning_brings_generated_images_back_and_leaves_the_forward_map():
    mirror, images = Stretched(Nonnegative()), torch.tensor([[0.0, 4.0], [0.25, 2.0]])
    assert tain.supports(mirror, tain.Finetunable)
    assert tain.supports(mirror, tain.Learned)
    assert not tain.supports(Shifted(Nonnegative()), tain.Finetunable)
    assert mirror.finetuning_loss(X, images).shape == (2,)
    before, forward = mirror.measure(X, images), mirror.forward(X).detach().clone()
    descent = torch.optim.SGD(mirror.finetuned(), lr=0.05)
    for _ in range(50):
        descent.zero_grad()
        mirror.finetuning_loss(X, images).sum().backward()
        descent.step()
    after = mirror.measure(X, images)
    assert after["distance"] < before["distance"] / 2
    assert torch.equal(mirror.forward(X), forward)


def test_what_a_finetunable_map_has_to_say_is_asked_for():
    class Forgetful(Shifted, tain.Finetunable):
        def finetuned(self):
            yield self.shift

    with pytest.raises(TypeError, match="finetuning_loss"):
        Forgetful(Nonnegative())


def test_training_may_prepare_a_map_that_needs_nothing():
    mirror = Shifted(Nonnegative())
    before = copy.deepcopy(mirror.state_dict())
    assert mirror.prepare(X) is None
    assert mirror.state_dict() == before


def drawn(n, *, rng=None, dtype=None):
    return 1 + torch.rand((n, 2), generator=rng, dtype=dtype)


def test_the_kit_tries_whether_measured_bounds_hold():
    mirror = Shifted(Nonnegative())
    settings = {"checks": ["learned-bounds-hold"], "points": drawn}
    (reason,) = run_checks(mirror, **settings).skipped.values()
    assert reason == "Shifted has no measured bounds; call measure(x) with held-out points"
    mirror.measure(drawn(100))
    assert run_checks(mirror, **settings).passed
    mirror.record_bounds({"round-trip": 0.1})
    (message,) = run_checks(mirror, **settings).failed.values()
    assert "the round-trip of inverse(forward(x)), where 0.1 was measured: row 0 has 0.25" in message


def test_the_kit_draws_no_points_by_a_map_that_is_only_roughly_right():
    mirror = Shifted(Nonnegative())
    for component in (mirror, tain.Mirrored(Beside(mirror), Gaussian((0.0, 1.0), (1.0, 1.0)))):
        x = points.inside(Subject(component), 100, torch.Generator().manual_seed(0), torch.float32)
        assert mirror.constraint.contains(x).all()
