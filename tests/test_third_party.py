"""A rule that others wrote, in a file that is given as it is, works with every generator that is installed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import tain
from tain import catalogue
from tain.testing.conformance import subjects_of
from tain_lab import Settings, fit
from tain_lab.command import main
from tain_lab.metrics import keep_rule
from tain_lab.tables import read_table

PLUGIN = '''
import tain
import torch


class Alone(tain.Constraint):
    """Shares that are at least zero and sum to one at most. Nothing but the distance is known."""

    event_ndim = 1

    def __init__(self, size: int):
        super().__init__()
        self.event_shape = (size,)

    def distance(self, x):
        return (-x).relu().sum(1) + (x.sum(1) - 1).relu()


class Projected(Alone, tain.Projectable):
    """The same, with the nearest point."""

    def project(self, x):
        count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)
        level = ((x.sort(1, descending=True).values.cumsum(1) - 1) / count).amax(1, keepdim=True)
        return (x - level.relu()).relu()


class Mapped(Alone):
    """The same, with a mirror map of its own."""


class LogRatios(tain.MirrorMap):
    """Logarithms of the ratios to what is left of one."""

    def __init__(self, rule: Mapped):
        super().__init__()
        self.constraint = rule

    def forward(self, x):
        self.constraint.require(x)
        return x.log() - (1 - x.sum(1, keepdim=True)).log()

    def inverse(self, y):
        return torch.cat([y, torch.zeros_like(y[:, :1])], 1).softmax(1)[:, :-1]


class Balanced(tain.Projectable):
    """Images whose entries sum to zero."""

    event_ndim = 3

    def distance(self, x):
        return x.mean((1, 2, 3)).abs()

    def project(self, x):
        return x - x.mean((1, 2, 3), keepdim=True)


@tain.hookimpl
def tain_constraints():
    for rule in (Alone, Projected, Mapped, Balanced):
        yield tain.Component(rule.__name__.lower(), rule, summary=rule.__doc__)


@tain.hookimpl
def tain_mirror_maps():
    yield tain.Component("log-ratios", LogRatios, summary=LogRatios.__doc__)


@tain.hookimpl
def tain_mirror_for(constraint):
    if isinstance(constraint, Mapped):
        yield LogRatios(constraint)
'''
MIRRORS = {"projected": "euclidean-projection", "mapped": "log-ratios"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The file, in the working directory; nothing of it is known before it is loaded, nor after the test."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shares.py"
    file.write_text(PLUGIN)
    catalogue.host.cache_clear()
    yield file
    catalogue.host.cache_clear()


def generators(event_ndim):
    """A small example of each installed generator that has samples of so many dimensions, by name."""
    found = {}
    for entry in tain.entries("generator"):
        if not issubclass(entry.target, tain.Mirrored):
            examples = [subject.component for subject in subjects_of(entry)]
            fitting = [example for example in examples if len(example.event_shape) == event_ndim]
            if fitting:
                found[entry.name] = fitting[0]
    return found


def command(*arguments):
    """The exit code of the command with the file, which knows of nothing that was loaded before, as a new process."""
    catalogue.host.cache_clear()
    return main([*arguments, "--plugin", "shares.py"])


def random():
    return torch.Generator().manual_seed(0)


def experiment(rule, size, generator, **settings):
    """An experiment on shares, in the working directory, with a table of them."""
    whole = torch.randn(80, size + 1, generator=random()).softmax(1)
    np.save("shares.npy", whole[:, :-1].double().numpy())
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    text = f"""
[data]
file = "shares.npy"
[constraint]
name = "{rule}"
size = {size}
[generator]
name = "{generator}"
{chr(10).join(lines)}
[training]
steps = 5
batch = 16
warmup = 0
[samples]
count = 60
"""
    Path("shares.toml").write_text(text)
    return "shares.toml"


@pytest.mark.parametrize("rule", MIRRORS)
def test_an_experiment_runs_with_every_generator_of_vectors(rule, plugin, subtests):
    tain.load_plugin(plugin)
    found = generators(1)
    assert {"vector-diffusion", "vector-flow-matching", "vector-vae"} <= set(found)
    for name, example in found.items():
        with subtests.test(generator=name):
            values = {key: value for key, value in tain.configuration(example).items() if value is not None}
            settings = {key: value for key, value in values.items() if key not in ("event_shape", "seed")}
            file = experiment(rule, math.prod(example.event_shape), name, **settings)
            assert command("run", file, "--output", name) == 0
            report = json.loads(Path(name, "report.json").read_text())
            assert report["rule"]["mirror"] == MIRRORS[rule]
            assert report["rule"]["generator"] == name
            assert report["evaluation"]["rule"]["samples"]["outside"] == 0
            assert "<html" in Path(name, "report.html").read_text()
            samples = torch.from_numpy(read_table(f"{name}/samples.csv").values)
            assert len(samples) == 60
            assert tain.load(f"{name}/model").mirror.constraint.contains(samples.float()).all()
            assert command("sample", name, f"{name}.npy", "--count", "7") == 0
            assert np.load(f"{name}.npy").shape == (7, *example.event_shape)


def test_every_generator_of_images_keeps_the_rule(plugin, tmp_path, subtests):
    tain.load_plugin(plugin)
    rule, found = tain.create("constraint", "balanced"), generators(3)
    assert {"image-diffusion", "image-flow-matching", "image-vae"} <= set(found)
    for name, example in found.items():
        with subtests.test(generator=name):
            images = rule.project(torch.randn(20, *example.event_shape, generator=random()))
            model = tain.Mirrored(tain.mirror_for(rule), example)
            losses = fit(model, images, Settings(steps=3, batch=8, warmup=0), progress=False)
            assert all(map(math.isfinite, losses))
            tain.save(model, tmp_path / name)
            samples = tain.load(tmp_path / name).sample(5, rng=0)
            assert samples.shape == (5, *example.event_shape)
            assert keep_rule(samples, rule).outside == 0


def test_a_rule_without_a_map_is_refused_with_what_to_do(plugin, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TAIN_BLOCK", "tain-namm")
    file = experiment("alone", 3, "vector-diffusion")
    assert command("run", file) == 2
    message = capsys.readouterr().err
    assert "No installed plugin offers a mirror map for Alone (asked: " in message
    assert "Offer one by the hook tain_mirror_for, or give the rule a projection (tain.Projectable)." in message
    assert not (tmp_path / "results").exists()


def test_a_map_of_a_rule_that_has_none_is_learned(plugin, tmp_path):
    pytest.importorskip("tain_namm")
    file = experiment("alone", 3, "vector-diffusion", width=8, blocks=1)
    text = Path(file).read_text().replace("[samples]", "[finetuning]\ncount = 20\n[samples]\nrefine = 5")
    Path(file).write_text(text)
    assert command("run", file) == 0
    report = json.loads((tmp_path / "results" / "shares" / "report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == ["map", "samples", "finetuning", "baseline"]
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0  # refined; the map itself has learned little
    assert report["bounds"]["distance"] > 0


def test_an_experiment_on_images_runs_with_the_projection_of_its_rule(plugin, tmp_path, capsys):
    file = experiment("balanced", 3, "image-diffusion", channels=[8], layers=1)
    Path(file).write_text(Path(file).read_text().replace("size = 3\n", ""))
    np.save("shares.npy", np.zeros((40, 16)))
    assert command("run", file) == 2
    message = "Balanced: samples have shape (1, 16), but must have one batch dimension and 3 more"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    images = torch.randn(40, 1, 4, 4, generator=random())
    np.save("shares.npy", tain.create("constraint", "balanced").project(images).numpy())
    assert command("run", file) == 0
    report = json.loads((tmp_path / "results" / "shares" / "report.json").read_text())
    assert report["rule"]["mirror"] == "euclidean-projection"
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert np.load(tmp_path / "results" / "shares" / "samples.npy").shape == (60, 1, 4, 4)
