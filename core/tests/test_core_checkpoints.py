"""Checkpoints: what was saved comes back, bit for bit, by kind and name."""

import copy
import json
import math
import os
import stat
from typing import Annotated

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import tain
from tain import CheckpointError, Field, checkpoint, component_file
from tain.checkpoint import load_component, read_manifest, save_component

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


class Slab(tain.Constraint):
    """Between two values, which may be infinite."""

    event_ndim = 1

    def __init__(self, lower: float = -math.inf, upper: float = math.inf, weights: Tensor | None = None):
        super().__init__()
        self.lower, self.upper = lower, upper
        self.register_buffer("weights", weights, persistent=False)

    def distance(self, x):
        return ((self.lower - x).clamp(min=0) + (x - self.upper).clamp(min=0)).sum(-1)


class Shift(tain.MirrorMap):
    def __init__(self, constraint: tain.Constraint, by: float = 0.0):
        super().__init__()
        self.constraint = constraint
        self.by = by

    def forward(self, x):
        return x + self.by

    def inverse(self, y):
        return y - self.by


class Network(tain.Generator):
    """A little of everything that a module may hold."""

    def __init__(self, event_shape: tuple[int, ...] = (2,), width: Annotated[int, Field("", at_least=0)] = 3):
        super().__init__()
        self.event_shape = event_shape
        self.layers = nn.Sequential(nn.Linear(event_shape[0], width), nn.BatchNorm1d(width), nn.Linear(width, 2))
        self.tied = nn.Linear(event_shape[0], width, bias=False)
        self.tied.weight = self.layers[0].weight
        self.register_buffer("mean", torch.zeros(event_shape))
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("nothing", torch.empty(0, 3))
        self.register_buffer("passing", torch.ones(1), persistent=False)

    def loss(self, y, *, rng=None):
        return self.layers(y).sum(1)

    def sample(self, n, *, rng=None):
        return torch.zeros(n, *self.event_shape)


class Wrapping(tain.Generator):
    """A generator with weights of its own around another one."""

    def __init__(self, inner: tain.Generator):
        super().__init__()
        self.inner = inner
        self.event_shape = inner.event_shape
        self.scale = nn.Parameter(torch.ones(1))

    def loss(self, y, *, rng=None):
        return self.scale * self.inner.loss(y)

    def sample(self, n, *, rng=None):
        return self.inner.sample(n)


class Several(tain.Constraint):
    """Several rules at once, and values of every other sort."""

    event_ndim = 1

    def __init__(
        self,
        rules: tuple[tain.Constraint, ...] = (),
        matrices: tuple[Tensor, ...] = (),
        pair: tuple[int, str] = (1, "a"),
        flag: bool | None = None,
        limits: tuple[float, ...] = (),
    ):
        super().__init__()
        self.rules = nn.ModuleList(rules)

    def distance(self, x):
        return x.abs().sum(-1)


@pytest.fixture(autouse=True)
def provided(core_alone):
    for kind, name, target in (
        ("constraint", "slab", Slab),
        ("constraint", "several", Several),
        ("mirror-map", "shift", Shift),
        ("generator", "network", Network),
        ("generator", "wrapping", Wrapping),
    ):
        tain.register(kind, tain.Component(name, target))


def trained(dtype: torch.dtype = torch.float32, **keywords: object) -> Network:
    """A network with random weights."""
    made = Network(**keywords).to(dtype)
    random = torch.Generator().manual_seed(0)
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=random))
        else:
            tensor.fill_(7)
    return made


def assert_same(one: nn.Module, other: nn.Module) -> None:
    assert type(one) is type(other)
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for key, tensor in mine.items():
        assert tensor.dtype is theirs[key].dtype
        assert torch.equal(tensor, theirs[key])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_component_comes_back_to_the_bit(tmp_path, dtype):
    made = trained(dtype)
    save_component(made, tmp_path / "network.safetensors")
    back = load_component(tmp_path / "network.safetensors")
    assert_same(made, back)
    assert tain.configuration(back) == {"event_shape": (2,), "width": 3}
    y = torch.randn(4, 2, dtype=dtype)
    assert torch.equal(made.eval().loss(y), back.eval().loss(y))
    assert all(parameter.requires_grad for parameter in back.parameters())


def test_tied_weights_stay_tied(tmp_path):
    save_component(trained(torch.float64), tmp_path / "m")
    back = load_component(tmp_path / "m")
    assert back.tied.weight is back.layers[0].weight
    assert len(list(back.parameters())) == len(list(trained().parameters()))


def test_loading_does_not_draw_on_the_file_afterwards(tmp_path):
    save_component(trained(), tmp_path / "m")
    back = load_component(tmp_path / "m")
    (tmp_path / "m").write_bytes(b"")
    assert_same(trained(), back)


def test_weights_with_odd_memory_are_saved(tmp_path):
    made = trained(width=4)
    made.layers[2].weight.data = torch.arange(8.0).reshape(4, 2).T
    made.mean = torch.zeros(1).expand(2)
    save_component(made, tmp_path / "m")
    assert_same(made, load_component(tmp_path / "m"))


def test_layers_without_entries_are_saved(tmp_path):
    with pytest.warns(UserWarning, match="zero-element"):
        made = Network(width=0)
    save_component(made, tmp_path / "m")
    with pytest.warns(UserWarning, match="zero-element"):
        assert_same(made, load_component(tmp_path / "m"))


@pytest.mark.parametrize("limits", [(-math.inf, math.inf), (0.0, math.inf), (-1e308, 5e-324), (-0.0, 0.1)])
def test_infinities_come_back_from_strict_json(tmp_path, limits):
    save_component(Slab(*limits), tmp_path / "slab")
    back = load_component(tmp_path / "slab")
    assert (back.lower, back.upper) == limits
    with safetensors.safe_open(tmp_path / "slab", framework="pt") as file:
        text = file.metadata()["tain"]

    def refuse(token):
        pytest.fail(f"{token} is no JSON")

    json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("dtype", [*DTYPES, torch.int64, torch.bool], ids=str)
def test_tensors_in_the_configuration_come_back(tmp_path, dtype):
    weights = torch.tensor([0, 1, 2]).to(dtype)
    save_component(Slab(weights=weights), tmp_path / "slab")
    back = tain.configuration(load_component(tmp_path / "slab"))["weights"]
    assert back.dtype is dtype
    assert torch.equal(back, weights)


def test_every_sort_of_value_comes_back(tmp_path):
    inner = Several(rules=(Slab(0, 1, torch.ones(2)),), matrices=[torch.zeros(1, 0), torch.eye(2)])
    made = Several(rules=[inner, Slab()], pair=(2, 'quote " \\ \n é'), flag=True, limits=(math.inf, -math.inf, 0.1))
    save_component(made, tmp_path / "several")
    back = load_component(tmp_path / "several")
    before, after = tain.configuration(made), tain.configuration(back)
    assert [after[key] for key in ("pair", "flag", "limits")] == [before[key] for key in ("pair", "flag", "limits")]
    assert torch.equal(tain.configuration(back.rules[0])["matrices"][1], torch.eye(2))
    assert tain.configuration(back.rules[0])["matrices"][0].shape == (1, 0)
    assert torch.equal(back.rules[0].rules[0].weights, torch.ones(2))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(allow_nan=False), max_size=4), st.integers(-(10**30), 10**30), st.text(max_size=8), st.booleans()
)
def test_any_plain_configuration_comes_back(tmp_path_factory, limits, number, text, flag):
    path = tmp_path_factory.mktemp("plain") / "several"
    made = Several(limits=limits, pair=(number, text), flag=flag)
    save_component(made, path)
    assert tain.configuration(load_component(path)) == tain.configuration(made)


def test_a_model_of_parts_is_a_folder(tmp_path):
    made = tain.Mirrored(Shift(Slab(0.0), by=0.5), trained())
    tain.save(
        made, tmp_path / "deep" / "model", notes={"columns": ["a", "b"], "limit": math.inf, "nested": {"x": -math.inf}}
    )
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == [
        "generator.safetensors",
        "manifest.json",
        "mirror.safetensors",
    ]
    back = tain.load(tmp_path / "deep" / "model")
    assert_same(made, back)
    assert (back.mirror.by, back.mirror.constraint.lower) == (0.5, 0.0)
    notes = read_manifest(tmp_path / "deep" / "model")["notes"]
    assert notes == {"columns": ["a", "b"], "limit": math.inf, "nested": {"x": -math.inf}}


@pytest.mark.parametrize(
    "make", [lambda: Slab(1.0), trained, lambda: Wrapping(trained())], ids=["plain", "net", "wrap"]
)
def test_a_model_that_is_more_than_its_parts_is_one_file(tmp_path, make):
    made = make()
    if isinstance(made, Wrapping):
        made.scale.data.fill_(5.0)
    tain.save(made, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["manifest.json", "model.safetensors"]
    assert_same(made, tain.load(tmp_path / "model"))


def test_mirrored_generators_nest(tmp_path):
    made = tain.Mirrored(Shift(Slab()), tain.Mirrored(Shift(Slab(), by=2), Wrapping(trained())))
    tain.save(made, tmp_path / "model")
    back = tain.load(tmp_path / "model")
    assert_same(made, back)
    assert back.generator.mirror.by == 2.0


def test_a_deep_copy_is_saved_like_its_original(tmp_path):
    made = tain.Mirrored(Shift(Slab()), trained())
    twin = copy.deepcopy(made)
    twin.generator.mean += 1
    tain.save(twin, tmp_path / "twin")
    assert_same(twin, tain.load(tmp_path / "twin"))


def test_saving_changes_nothing(tmp_path):
    made = trained()
    before = copy.deepcopy(made)
    tain.save(made, tmp_path / "model")
    assert_same(made, before)


def test_a_constraint_of_a_script_is_saved_by_its_name(tmp_path):
    @tain.constraint("unit-flux", event_ndim=1)
    def unit_flux(x, total: float = 1.0):
        return (x.sum(-1) - total).abs()

    made = tain.create("constraint", "unit-flux", total=2)
    tain.save(made, tmp_path / "flux")

    @tain.constraint("unit-flux", event_ndim=1)
    def unit_flux_again(x, total: float = 1.0):
        return 10 * (x.sum(-1) - total).abs()

    x = torch.tensor([[1.0, 2.0]])
    assert made.distance(x).item() == 1
    assert tain.load(tmp_path / "flux").distance(x).item() == 10
    tain.save(made, tmp_path / "saved-after-the-cell-ran-again")


def test_files_have_the_permissions_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    tain.save(trained(), tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    (tmp_path / "folder").mkdir()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "folder").stat().st_mode


def test_saving_to_a_file_replaces_it_whole(tmp_path):
    save_component(trained(), tmp_path / "m")
    save_component(Slab(), tmp_path / "m")
    assert isinstance(load_component(tmp_path / "m"), Slab)
    assert os.listdir(tmp_path) == ["m"]


def test_an_existing_folder_is_left_alone(tmp_path):
    tain.save(Slab(1.0), tmp_path / "model")
    (tmp_path / "file").write_text("text")
    for name in ("model", "file"):
        with pytest.raises(CheckpointError, match=f"{name}: exists. Choose another folder, or remove it."):
            tain.save(Slab(2.0), tmp_path / name)
    assert tain.load(tmp_path / "model").lower == 1.0
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("where", ["safetensors.torch.save", "os.fsync", "os.replace", "pathlib.Path.rename"])
@pytest.mark.parametrize("cause", [OSError("No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_a_failure_midway_leaves_nothing_behind(tmp_path, monkeypatch, where, cause):
    calls = []

    def fail_at_the_second_call(*arguments, **keywords):
        calls.append(1)
        if len(calls) == (1 if where.endswith("rename") else 2):
            raise cause
        return original(*arguments, **keywords)

    module, _, name = where.rpartition(".")
    owner = {"safetensors.torch": safetensors.torch, "os": os, "pathlib.Path": checkpoint.Path}[module]
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, fail_at_the_second_call)
    with pytest.raises(type(cause)):
        tain.save(tain.Mirrored(Shift(Slab()), trained()), tmp_path / "model")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_a_failure_keeps_the_earlier_file(tmp_path, monkeypatch):
    save_component(Slab(1.0), tmp_path / "m")

    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        save_component(Slab(2.0), tmp_path / "m")
    assert load_component(tmp_path / "m").lower == 1.0
    assert os.listdir(tmp_path) == ["m"]


class Stranger(tain.Constraint):
    event_ndim = 1

    def __init__(self, value=None, state=None):
        super().__init__()
        self.state = state

    def distance(self, x):
        return x.sum(-1)

    def get_extra_state(self):
        return self.state

    def set_extra_state(self, state):
        self.state = state


def test_what_could_not_be_reloaded_is_not_saved(tmp_path):
    made = Stranger()
    for save in (lambda: tain.save(made, tmp_path / "m"), lambda: save_component(made, tmp_path / "m.safetensors")):
        with pytest.raises(tain.UnknownNameError, match="Stranger is in no plugin"):
            save()
    tain.register("constraint", tain.Component("stranger", Stranger))
    with pytest.raises(CheckpointError, match=r"Stranger: 'value' is \{1\} \(set\), which a checkpoint cannot record"):
        tain.save(Stranger({1}, torch.zeros(1)), tmp_path / "m")
    with pytest.raises(
        CheckpointError, match=r"Stranger: its state '_extra_state' is \{'a': 1\} \(dict\).* tensors only"
    ):
        tain.save(Stranger(1, {"a": 1}), tmp_path / "m")
    for notes in ({"x": {1, 2}}, {"x": torch.zeros(1)}, {"x": np.zeros(1)}, {("a", "b"): 1}):
        with pytest.raises(CheckpointError, match="The notes hold what JSON cannot"):
            tain.save(Slab(), tmp_path / "m", notes=notes)
    assert os.listdir(tmp_path) == []


def test_the_file_names_its_maker_and_no_class(tmp_path):
    save_component(trained(), tmp_path / "m")
    with safetensors.safe_open(tmp_path / "m", framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["tain"]
    assert json.loads(metadata["tain"]) == {
        "format": component_file.FORMAT,
        "kind": "generator",
        "name": "network",
        "distribution": "(this program)",
        "version": "",
        "configuration": {"event_shape": [2], "width": 3},
    }
