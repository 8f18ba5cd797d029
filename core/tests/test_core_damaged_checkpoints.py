"""Damaged, foreign and hostile checkpoints: read right or refused in one line that names the file; nothing else."""

import hashlib
import json
import os
import pickle  # noqa: TID251 (to make the file that must not be read)
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import tain
from tain import BrokenPluginError, CheckpointError, DuplicateNameError, UnknownNameError
from tain.checkpoint import load_component, read_manifest, save_component

REFUSALS = (CheckpointError, UnknownNameError, BrokenPluginError, DuplicateNameError)


class Rule(tain.Constraint):
    event_ndim = 1

    def __init__(self, limit: float = 1.0, centre: Tensor | None = None):
        super().__init__()
        self.limit = limit

    def distance(self, x):
        return (x.abs().sum(-1) - self.limit).clamp(min=0)


class Same(tain.MirrorMap):
    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        return x

    def inverse(self, y):
        return y


class Fixed(tain.Generator):
    def __init__(self, size: int = 2):
        super().__init__()
        if size > 100:
            raise ZeroDivisionError("a constructor may fail in any way")
        self.event_shape = (size,)
        self.weight = nn.Parameter(torch.arange(float(size)))

    def loss(self, y, *, rng=None):
        return (y - self.weight).sum(1)

    def sample(self, n, *, rng=None):
        return self.weight.expand(n, -1)


@pytest.fixture(autouse=True)
def provided(core_alone):
    for kind, name, target in (
        ("constraint", "rule", Rule),
        ("mirror-map", "same", Same),
        ("generator", "fixed", Fixed),
    ):
        tain.register(kind, tain.Component(name, target))


def refusal(load, path: Path, place: Path | None = None) -> str:
    """The message that refuses a file: one line, which names it."""
    with pytest.raises(REFUSALS) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(str(place or path)), message
    return message


def good_file(path: Path) -> bytes:
    save_component(Fixed(), path)
    return path.read_bytes()


def write_record(path: Path, record: object, tensors: dict[str, Tensor] | None = None) -> Path:
    text = record if isinstance(record, str) else json.dumps(record)
    safetensors.torch.save_file({"weight": torch.zeros(2)} if tensors is None else tensors, path, {"tain": text})
    return path


RECORD = {
    "format": 1,
    "kind": "generator",
    "name": "fixed",
    "distribution": "tain-fixed",
    "version": "1.0",
    "configuration": {"size": 2},
}


def test_a_file_cut_at_any_length_is_refused(tmp_path):
    whole = good_file(tmp_path / "m")
    for length in np.unique(np.linspace(0, len(whole) - 1, 25).astype(int)):
        (tmp_path / "m").write_bytes(whole[:length])
        assert "is truncated or no safetensors file" in refusal(load_component, tmp_path / "m")


def test_a_file_of_another_sort_is_refused(tmp_path):
    for content in (b"hello, world\n", b"\x00" * 100, b"PK\x03\x04" + b"\x00" * 60, b"{}", b"\xff" * 64):
        (tmp_path / "m").write_bytes(content)
        assert "is truncated or no safetensors file" in refusal(load_component, tmp_path / "m")
    assert "no such file" in refusal(load_component, tmp_path / "none")
    assert "no such file" in refusal(load_component, tmp_path)


class Trap:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["TRAP"],))


def test_a_pickle_is_refused_and_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    (tmp_path / "m").write_bytes(pickle.dumps(Trap()))
    refusal(load_component, tmp_path / "m")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "t")  # noqa: TID251
    refusal(load_component, tmp_path / "t")
    assert not (tmp_path / "sprung").exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    safetensors.torch.save_file({"weight": torch.zeros(2)}, tmp_path / "m")
    assert "is a safetensors file, but not one of tain" in refusal(load_component, tmp_path / "m")
    safetensors.torch.save_file({"weight": torch.zeros(2)}, tmp_path / "m", {"format": "pt"})
    assert "is a safetensors file, but not one of tain" in refusal(load_component, tmp_path / "m")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"text"',
        "{}",
        "NaN",
        '{"format": NaN}',
        '{"format": "1"}',
        "[" * 5000,
        '{"$float": "x"}',
    ],
)
def test_garbage_in_place_of_the_record_is_refused(tmp_path, text):
    assert "does not describe a component" in refusal(load_component, write_record(tmp_path / "m", text))


@pytest.mark.parametrize("missing", ["format", "kind", "name", "distribution", "version", "configuration"])
def test_a_record_without_one_of_its_keys_is_refused(tmp_path, missing):
    record = {key: value for key, value in RECORD.items() if key != missing}
    assert missing in refusal(load_component, write_record(tmp_path / "m", record))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "written by a newer tain (format 2, this one reads 1)"),
        ({"format": None}, "does not describe"),
        (
            {"name": "fxied"},
            "(written with tain-fixed 1.0): No plugin provides a generator 'fxied'. Did you mean: fixed?",
        ),
        ({"name": ["fixed"]}, "No plugin provides a generator '['fixed']'"),
        ({"name": None}, "does not describe"),
        ({"kind": "monster"}, "There is no kind of component 'monster'"),
        ({"kind": "constraint"}, "No plugin provides a constraint 'fixed'"),
        ({"kind": ["generator"]}, "There is no kind"),
        ({"configuration": {"size": "2"}}, "'size' is '2' (str), but must be an int"),
        ({"configuration": {"sise": 2}}, "unknown key 'sise'. Did you mean: size?"),
        ({"configuration": {"size": 101}}, "ZeroDivisionError: a constructor may fail in any way"),
        ({"configuration": {"size": -1}}, "could not be made (RuntimeError: "),
        ({"configuration": []}, "does not describe"),
        ({"configuration": {"size": {"tensor": "configuration:none"}}}, "does not describe"),
        ({"configuration": {"size": {}}}, "does not describe"),
        ({"configuration": {"size": {"component": None}}}, "does not describe"),
        ({"configuration": {"size": {"component": {"kind": "generator", "name": "os.system"}}}}, "does not describe"),
        ({"configuration": {"size": 3}}, "size mismatch for weight"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(tmp_path, change, words):
    assert words in refusal(load_component, write_record(tmp_path / "m", RECORD | change))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({}, "Missing key(s) in state_dict"),
        ({"weight": torch.zeros(2), "more": torch.zeros(1)}, "Unexpected key(s) in state_dict"),
        ({"weight": torch.zeros(3)}, "size mismatch for weight"),
        ({"weight": torch.zeros(2, 1)}, "size mismatch for weight"),
        ({"weight": torch.zeros(2, dtype=torch.int64)}, "does not describe"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, tensors, words):
    assert words in refusal(load_component, write_record(tmp_path / "m", RECORD, tensors))


def test_a_component_of_a_broken_plugin_names_file_and_cause(tmp_path, site):
    site.add("tain-analytic", "raise RuntimeError('broken on purpose')")
    tain.host.cache_clear()
    path = write_record(tmp_path / "m", RECORD | {"kind": "constraint", "name": "simplex"})
    with pytest.raises(BrokenPluginError, match=re.escape(str(path))) as error:
        load_component(path)
    assert "broken on purpose" in str(error.value)


def test_a_component_that_is_not_installed_names_file_and_distribution(tmp_path):
    path = write_record(tmp_path / "m", RECORD | {"kind": "constraint", "name": "simplex"})
    with pytest.raises(UnknownNameError, match=rf"{re.escape(str(path))}.*pip install tain-analytic"):
        load_component(path)


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mutant") / "m"
    save_component(Rule(float("inf"), torch.ones(2)), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        back = load_component(path)
    except REFUSALS as refused:
        assert str(path) in str(refused)  # noqa: PT017 (it may as well be read)
    else:
        assert isinstance(back, Rule)


def good_folder(folder: Path) -> dict[str, bytes]:
    tain.save(tain.Mirrored(Same(Rule()), Fixed()), folder, notes={"columns": ["a", "b"]})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_folder_with_changed_bytes_is_read_right_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("mutant") / "model"
    files = good_folder(folder)
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    (folder / name).write_bytes(content)
    try:
        back = tain.load(folder)
    except REFUSALS as refused:
        assert str(folder) in str(refused)  # noqa: PT017
    else:
        assert name == "manifest.json"  # in its notes or blanks, since the sums guard the other files
        assert torch.equal(back.generator.weight, Fixed().weight)
        assert isinstance(back.mirror, Same)


@pytest.mark.parametrize("part", ["mirror", "generator"])
def test_a_missing_or_changed_part_is_refused(tmp_path, part):
    files = good_folder(tmp_path / "model")
    path = tmp_path / "model" / f"{part}.safetensors"
    path.unlink()
    assert "is missing. Copy the whole model folder" in refusal(tain.load, tmp_path / "model", path)
    path.write_bytes(files[path.name][:-1])
    assert "differs from its sha256 sum" in refusal(tain.load, tmp_path / "model", path)
    path.unlink()
    path.mkdir()
    assert "is missing" in refusal(tain.load, tmp_path / "model", path)


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "", ".", "a/b", "a.b", "mirror\0", "..\\x"])
def test_a_part_with_a_path_for_a_name_is_refused(tmp_path, key):
    good_folder(tmp_path / "model")
    save_component(Fixed(), tmp_path / "x.safetensors")
    sums = {key: hashlib.sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest()}
    write_manifest(tmp_path / "model", sha256=sums)
    assert "is no name of a part" in refusal(tain.load, tmp_path / "model", tmp_path / "model" / "manifest.json")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "or of a newer one (this one reads format 1)"),
        ({"format": "1"}, "is no manifest of tain"),
        ({"kind": "monster"}, "is no manifest of tain"),
        ({"kind": ["generator"]}, "is no manifest of tain"),
        ({"name": 3}, "is no manifest of tain"),
        ({"notes": []}, "is no manifest of tain"),
        ({"sha256": ["generator"]}, "is no manifest of tain"),
        ({"whole": True}, "is no manifest of tain"),
        ({"name": "mirrord"}, "No plugin provides a generator 'mirrord'. Did you mean: mirrored?"),
        ({"name": "fixed"}, "unknown key"),
        ({"kind": "constraint", "name": "rule"}, "unknown key"),
        ({"sha256": {}}, "'mirror' (carries the data to the mirror space and samples back) is missing"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, changes, words):
    good_folder(tmp_path / "model")
    write_manifest(tmp_path / "model", **changes)
    assert words in refusal(tain.load, tmp_path / "model", tmp_path / "model" / "manifest.json")


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path):
    good_folder(tmp_path / "model")
    save_component(Fixed(), tmp_path / "model" / "mirror.safetensors")
    content = (tmp_path / "model" / "mirror.safetensors").read_bytes()
    sums = read_manifest(tmp_path / "model")["sha256"] | {"mirror": hashlib.sha256(content).hexdigest()}
    write_manifest(tmp_path / "model", sha256=sums)
    assert "must be a MirrorMap" in refusal(tain.load, tmp_path / "model", tmp_path / "model" / "manifest.json")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": Infinity}']
)
def test_garbage_in_place_of_the_manifest_is_refused(tmp_path, content):
    good_folder(tmp_path / "model")
    (tmp_path / "model" / "manifest.json").write_bytes(content)
    for load in (tain.load, read_manifest):
        message = refusal(load, tmp_path / "model", tmp_path / "model" / "manifest.json")
        assert "is no manifest of tain" in message


def test_what_is_no_model_folder_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    save_component(Fixed(), tmp_path / "m.safetensors")
    for path in (tmp_path, tmp_path / "none", tmp_path / "text.txt", tmp_path / "m.safetensors"):
        assert "no manifest.json in it. Give the folder that tain.save wrote" in refusal(tain.load, path)


def test_nothing_of_the_core_unpickles():
    forbidden = re.compile(
        r"\b(c?pickle|dill|joblib|marshal|shelve)\.|import (c?pickle|dill|joblib|marshal|shelve)|(?<!safetensors\.)"
        r"torch\.(load|save)\b|\b(np|numpy)\.load|\b(eval|exec)\("
    )
    files = sorted(Path(tain.__file__).parent.glob("*.py"))
    assert len(files) > 10
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not forbidden.search(line), f"{path.name}:{number}: {line}"
