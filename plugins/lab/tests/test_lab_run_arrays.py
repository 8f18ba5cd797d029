"""`tain run`, `check` and `sample` on files of images, with maps that are exact and maps that are learned."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import tain
from tain_lab.command import main

PLUGIN = Path(__file__).with_name("learned_parts.py")
sys.path.insert(0, str(PLUGIN.parent))
try:
    import learned_parts as parts
finally:
    sys.path.pop(0)

TOML = """
seed = 3
[data]
file = "images.npy"
[constraint]
name = "test-flux"
[generator]
name = "test-pixels"
[training]
steps = 60
batch = 16
learning_rate = 0.05
warmup = 0
checkpoint_every = 20
[samples]
count = 40
"""
LEARNED = (
    TOML
    + """[map]
name = "test-curved"
[map.training]
steps = 40
[finetuning]
steps = 30
count = 20
"""
)


class Spread(tain.Projective):
    """The projection onto images of a total: an exact map."""

    def __init__(self, constraint: parts.Flux):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        self.constraint.require(x)
        return x

    def inverse(self, y):
        excess = y.flatten(1).sum(1) - self.constraint.total
        return y - (excess / y[0].numel()).reshape(-1, 1, 1, 1)


@pytest.fixture(autouse=True)
def images_of_flux(components):
    for kind, name, target in (
        ("constraint", "test-flux", parts.Flux),
        ("mirror-map", "test-curved", parts.Curved),
        ("mirror-map", "test-spread", Spread),
        ("generator", "test-pixels", parts.Pixels),
    ):
        tain.register(kind, tain.Component(name, target))


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "images.npy", parts.images(80).numpy())
    (tmp_path / "exact.toml").write_text(TOML + '[mirror]\nname = "test-spread"\n')
    (tmp_path / "learned.toml").write_text(LEARNED)
    return tmp_path


def run(folder, name, out="out"):
    return main(["run", str(folder / f"{name}.toml"), "--output", str(folder / out)])


def mistake(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("tain: ")
    assert captured.err.count("\n") == 1
    return captured.err


def replaced(folder, name, old, new):
    text = (folder / f"{name}.toml").read_text()
    assert old in text
    (folder / f"{name}.toml").write_text(text.replace(old, new))


def test_a_run_of_images_leaves_samples_models_and_a_report(folder, capsys):
    assert run(folder, "exact") == 0
    assert "80 rows of shape (1, 4, 4), 16 held out." in capsys.readouterr().out
    out = folder / "out"
    samples = np.load(out / "samples.npy")
    assert samples.shape == (40, 1, 4, 4)
    assert samples.dtype == np.float32
    assert np.abs(samples.sum((1, 2, 3)) - 4).max() < 1e-5
    report = json.loads((out / "report.json").read_text())
    assert report["data"]["shape"] == [1, 4, 4]
    assert report["data"]["pooling"] == 1
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert report["evaluation"]["rule"]["baseline"]["outside"] > 0.9
    assert report["bounds"] == {}
    assert report["stages"] == []
    assert (out / "pictures" / "grids.png").is_file()
    html = (out / "report.html").read_text()
    assert html.count("data:image/png;base64,") == 4
    assert "of shape 1 x 4 x 4" in html
    assert main(["sample", str(out), str(folder / "s.npy"), "--count", "40", "--seed", "3"]) == 0
    assert "40 keep the rule" in capsys.readouterr().out
    assert (folder / "s.npy").read_bytes() == (out / "samples.npy").read_bytes()
    assert "Give a file that ends in .npy" in mistake(capsys, "sample", out, folder / "s.csv")


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_other_files_hold_an_array_by_name(folder, capsys, kind):
    from safetensors.numpy import save_file

    images = parts.images(80).numpy()
    arrays = {"images": images, "labels": np.arange(80)}
    if kind == "npz":
        np.savez(folder / "images.npz", **arrays)
    else:
        save_file(arrays, folder / "images.safetensors")
    replaced(folder, "exact", 'file = "images.npy"', f'file = "images.{kind}"')
    message = mistake(capsys, "run", folder / "exact.toml", "--output", folder / "out")
    assert 'holds the arrays images, labels, but one is to be read. Name it, as in: columns = ["images"]' in message
    replaced(folder, "exact", f'file = "images.{kind}"', f'file = "images.{kind}"\ncolumns = ["images"]')
    assert run(folder, "exact") == 0


def test_a_learned_map_is_trained_finetuned_and_measured(folder, capsys):
    assert run(folder, "learned") == 0
    printed = capsys.readouterr().out
    out = folder / "out"
    report = json.loads((out / "report.json").read_text())
    stages = {stage["name"]: stage for stage in report["stages"]}
    assert {name: stages[name]["steps"] for name in ("map", "samples", "finetuning")} == {
        "map": 40, "samples": 60, "finetuning": 30,
    }  # fmt: skip
    baseline = stages.pop("baseline")
    theirs = sum(stage["steps"] * stage["pace"] for stage in stages.values())
    assert (baseline["steps"] - 1) * baseline["pace"] < theirs <= baseline["steps"] * baseline["pace"] + 1e-9
    for name, steps in {"map": 40, "model": 60, "finetuning": 30, "baseline": baseline["steps"]}.items():
        assert len((out / f"{name}-losses.csv").read_text().splitlines()) == steps + 1
    model = tain.load(out / "model")
    assert isinstance(model.mirror, parts.Curved)
    assert model.mirror.bounds == report["bounds"]
    assert set(report["bounds"]) == {"distance", "round-trip"}
    rule = report["evaluation"]["rule"]
    assert rule["samples"]["mean_distance"] < rule["baseline"]["mean_distance"]
    assert f"baseline: {baseline['steps']} steps of" in printed
    assert "The mirror map was learned" in (out / "report.html").read_text()
    assert not (out / "progress").exists()


def stop(*_, **__):
    raise KeyboardInterrupt


KEPT = (
    "samples.npy", "baseline-samples.npy", "map-losses.csv", "model-losses.csv", "finetuning-losses.csv",
    "baseline-losses.csv", "model/mirror.safetensors", "model/generator.safetensors", "baseline/model.safetensors",
)  # fmt: skip


def kill(monkeypatch, stage):
    """Have the run stopped in the middle of a stage, or just before images are drawn."""
    from tain_lab import stages

    def fitting(real, model, *arguments, **keywords):
        def after(step):
            if step == 25:
                raise KeyboardInterrupt

        if keywords.get("label", "finetuning") == stage and "after_step" not in keywords:
            keywords["after_step"] = after
        return real(model, *arguments, **keywords)

    def drawing(real, model, count, seed, purpose="samples"):
        return stop() if purpose == stage else real(model, count, seed, purpose)

    for name in ("fit", "finetune"):
        monkeypatch.setattr(stages, name, functools.partial(fitting, getattr(stages, name)))
    monkeypatch.setattr(stages, "draw", functools.partial(drawing, stages.draw))


def test_a_run_that_was_killed_at_any_stage_ends_like_any_other(folder, monkeypatch):
    from tain_lab import run as running, stages

    with (folder / "learned.toml").open("a") as file:
        file.write("[baseline]\nsteps = 50\n")
    monkeypatch.setattr(running, "evaluate", stop)  # all is trained and drawn by then
    assert run(folder, "learned", "whole") == 130
    for stage in ("map", "samples", "images to finetune on", "finetuning", "images to measure", "baseline"):
        with monkeypatch.context() as killing:
            kill(killing, stage)
            assert run(folder, "learned", stage) == 130
        assert not (folder / stage / "baseline-samples.npy").exists()
        decided = (folder / stage / "stages.json").read_bytes()
        with monkeypatch.context() as again:
            again.setattr(stages, "paces_of", lambda *_: pytest.fail("the steps are decided once"))
            assert run(folder, "learned", stage) == 130
        assert (folder / stage / "stages.json").read_bytes() == decided
        for name in KEPT:
            assert (folder / stage / name).read_bytes() == (folder / "whole" / name).read_bytes(), (stage, name)


def test_stages_that_are_complete_are_skipped(folder, monkeypatch):
    from tain_lab import run as running, stages

    monkeypatch.setattr(running, "evaluate", stop)
    assert run(folder, "learned") == 130
    monkeypatch.undo()
    for name in ("fit", "finetune", "paces_of"):
        monkeypatch.setattr(stages, name, stop)
    assert run(folder, "learned") == 0


def test_refined_samples_keep_the_rule(folder):
    replaced(folder, "learned", "count = 40", "count = 40\nrefine = 3")
    assert run(folder, "learned") == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["rule"]["mirror"] == "refined"
    assert report["bounds"]["distance"] > 0.01  # of the map itself
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert isinstance(tain.load(folder / "out" / "model").mirror, tain.Refined)


def test_a_run_may_do_without_finetuning_and_without_a_baseline(folder):
    replaced(folder, "learned", "[finetuning]\nsteps = 30\ncount = 20\n", "")
    replaced(folder, "learned", "seed = 3", "seed = 3\nbaseline = false\nfinetuning = false")
    assert run(folder, "learned") == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == ["map", "samples"]
    assert report["candidates"] == ["samples"]
    assert not (folder / "out" / "finetuning-losses.csv").exists()


def test_the_best_map_on_offer_is_taken_even_if_it_has_to_be_learned(folder):
    """By a plugin of one file, whose map is the only one on offer; [map] without a name gives it options."""
    (folder / "alone.toml").write_text(LEARNED.replace('name = "test-curved"', "weight = 0.5"))
    command = [sys.executable, "-W", "error", "-m", "tain_lab.command", "run", "alone.toml", "--plugin", str(PLUGIN)]
    place = os.environ | {"TAIN_BLOCK": "tain-namm,tain-science,tain-analytic"}
    done = subprocess.run(command, cwd=folder, env=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "results" / "alone" / "report.json").read_text())
    assert report["rule"]["mirror"] == "test-curved"
    made = report["made"]
    assert made["map: weight"] == "0.5"
    assert (made["map training: steps"], made["map training: batch"]) == (40, 16)
    assert (made["finetuning: steps"], made["finetuning: batch"], made["finetuning: count"]) == (30, 16, 20)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("exact", "images.npy", "imagse.npy", "no such file. Did you mean: images.npy"),
        ("exact", "images.npy", "images.csv", "holds a table, but the rule is one of arrays"),
        ("exact", "images.npy", "pickle.npy", "cannot be read as NPY"),
        ("exact", "images.npy", "vectors.npy", "must have one batch dimension and 3 more"),
        ("exact", "images.npy", "complex.npy", "dtype complex64, but must hold real numbers"),
        ("exact", "images.npy", "nan.npy", "row 3 holds values that are no finite numbers"),
        ("exact", "images.npy", "off.npy", "Flux: 2 of 80 samples are outside, the worst row 8 by 4, row 1 by 2 "),
        ("exact", 'file = "images.npy"', 'file = "images.npy"\ncolumns = ["a"]', "Leave [data] columns out"),
        ("exact", 'file = "images.npy"', 'file = "off.npy"\nrounding = 5', "can neither retract nor project"),
        ("exact", 'file = "images.npy"', 'file = "images.npy"\ndetection_limit = 0.1', "has no retraction"),
        ("exact", "count = 40", "count = 40\nrefine = 3", "refine is 3, but Spread is exact"),
        ("exact", "[mirror]", "[map]", "'test-spread' has nothing to learn. Call the table [mirror]"),
        ("learned", "images.npy", "off.npy", "Flux: 2 of 80 samples are outside, the worst row 8 by 4"),
        ("learned", "[finetuning]", '[mirror]\nname = "test-spread"\n[finetuning]', "has both [map] and [mirror]"),
        ("learned", "steps = 40", "stpes = 40", "'map': 'training': unknown key 'stpes'. Did you mean: steps"),
        ("learned", "count = 20", "count = 10", "batch is 16, but must be at most"),
        ("learned", "count = 20", "cuont = 20", "'finetuning': unknown key 'cuont'. Did you mean: count"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_before_anything_is_written(folder, capsys, name, old, new, message):
    images = parts.images(80)
    np.save(folder / "vectors.npy", images.flatten(1).numpy())
    np.save(folder / "complex.npy", images.numpy().astype(np.complex64))
    np.save(folder / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (folder / "images.csv").write_text("a\n1\n")
    bad = images.clone()
    bad[2, 0, 1, 1] = float("nan")
    np.save(folder / "nan.npy", bad.numpy())
    off = images.clone()
    off[0] *= 1.5
    off[7] *= 2
    np.save(folder / "off.npy", off.numpy())
    replaced(folder, name, old, new)
    assert message in mistake(capsys, "run", folder / f"{name}.toml", "--output", folder / "out")
    assert not (folder / "out").exists()


def test_without_a_plugin_that_offers_a_learned_map_one_is_told_what_to_install(folder, monkeypatch):
    from tain_lab import experiment

    monkeypatch.setattr(experiment, "offers", lambda *_, **__: (Spread(parts.Flux()),))
    replaced(folder, "learned", 'name = "test-curved"', "")
    read = experiment.read_experiment(folder / "learned.toml")
    with pytest.raises(tain.ConfigurationError, match=r"offers a map that is learned for Flux\. Install .* tain-namm"):
        read.build_mirror(read.build_constraint(), (1, 4, 4))


@pytest.mark.parametrize("refusing", ["prepare", "loss"])
def test_what_a_map_itself_refuses_is_found_before_anything_is_written(folder, capsys, monkeypatch, refusing):
    def refuse(*_, **__):
        raise tain.ConfigurationError("not with me")

    monkeypatch.setattr(parts.Curved, refusing, refuse)
    assert "not with me" in mistake(capsys, "run", folder / "learned.toml", "--output", folder / "out")
    assert not (folder / "out").exists()


def test_check_shows_the_images_that_break_a_rule(folder, capsys):
    images = parts.images(10)
    images[3] *= 2
    np.save(folder / "some.npy", images.numpy())
    assert main(["check", str(folder / "some.npy"), "--constraint", "test-flux"]) == 1
    printed = capsys.readouterr().out
    assert "10 rows, 1 outside of Flux(total=4.0)" in printed
    assert "│ 4   │ 4 " in printed
    assert main(["check", str(folder / "exact.toml")]) == 0


def test_rows_of_a_mapped_file_are_not_held_in_memory(folder, monkeypatch):
    from tain_lab import training_data
    from tain_lab.array_preparation import prepare_arrays
    from tain_lab.arrays import read_array

    samples, rule = read_array(folder / "images.npy"), parts.Flux()
    whole = prepare_arrays(samples, rule)
    monkeypatch.setattr(training_data, "_CHUNK", 200)
    monkeypatch.setattr(training_data, "_MEMORY", 0)
    pieces = prepare_arrays(samples, rule)
    assert torch.equal(whole.train, pieces.train)
    assert torch.equal(whole.held_out, pieces.held_out)
    assert len(pieces.held_out) == 16
    everything = torch.cat((pieces.train, pieces.held_out))
    assert sorted(everything[:, 0, 0, 0].tolist()) == sorted(samples[:, 0, 0, 0].tolist())
