"""[sweep]: every combination is run once, in a folder of its own, and tabulated."""

import csv
import json
import re

import pytest

import tain
from tain_lab.command import main
from tain_lab.sweep import read_sweep

SWEEP = '[sweep]\n"training.learning_rate" = [0.05, 0.01]\nseed = [3, 4]\n'


@pytest.fixture
def sweep(experiment):
    text = experiment.read_text().replace("seed = 3", "seed = 3\nbaseline = false").replace("steps = 60", "steps = 20")
    experiment.write_text(text + SWEEP)
    return experiment


def mistake(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_all_combinations_are_run_and_tabulated(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["run", str(sweep), "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "run 4 of 4, 04-learning_rate=0.01,seed=4:" in printed
    assert re.search(r"│ 0\.01 +│ 4 +│ [\d.e-]+ +│ 0 +│", printed)
    with (out / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["training.learning_rate"], row["seed"]) for row in rows] == [
        ("0.05", "3"), ("0.05", "4"), ("0.01", "3"), ("0.01", "4"),
    ]  # fmt: skip
    for row, name in zip(rows, sorted(path.name for path in out.iterdir() if path.is_dir()), strict=True):
        report = json.loads((out / name / "report.json").read_text())
        assert float(row["mean distance"]) == report["evaluation"]["rule"]["samples"]["mean_distance"]
        assert float(row["outside"]) == report["evaluation"]["rule"]["samples"]["outside"]
        assert float(row["MMD"]) == report["evaluation"]["distances"]["MMD"]["samples"]["median"]
        values = json.loads((out / name / "values.json").read_text())
        assert values == {"training.learning_rate": float(row["training.learning_rate"]), "seed": int(row["seed"])}
        assert report["made"]["training: learning_rate"] == values["training.learning_rate"]
        assert report["made"]["seed"] == values["seed"]
    assert len({row["MMD"] for row in rows}) == 4
    assert len((out / "sweep.md").read_text().splitlines()) == 6
    assert "holds a finished run" in mistake(capsys, "run", sweep, "--output", out)


def test_a_sweep_that_was_stopped_runs_what_is_left(sweep, tmp_path, monkeypatch, capsys):
    from tain_lab import run

    sweep.write_text(sweep.read_text().replace("seed = [3, 4]\n", ""))
    out, real, calls = tmp_path / "out", run.evaluate, []

    def evaluate(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **keywords)

    monkeypatch.setattr(run, "evaluate", evaluate)
    assert main(["run", str(sweep), "--output", str(out)]) == 130
    assert len((out / "sweep.csv").read_text().splitlines()) == 2
    capsys.readouterr()
    assert main(["run", str(sweep), "--output", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("is complete") == 1
    assert printed.count("Going on with the run that was stopped") == 1
    assert len(calls) == 3
    assert len((out / "sweep.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sweep]\n", "[sweep] is empty"),
        ("[sweep]\nseed = 3\n", '"seed" is 3, but must be a list of values'),
        ("[sweep]\nseed = []\n", '"seed" is [], but must be a list of values'),
        ('[sweep]\n"seed.deep" = [1]\n', "'seed' is no table"),
        ('[sweep]\n"training.stpes" = [1]\n', "unknown key 'stpes'. Did you mean: steps"),
        ('[sweep]\n"training.steps" = [10, 0]\n', "'steps' is 0, but must be at least 1"),
        ('[sweep]\n"constraint.parts" = [3, 2]\n', "must have (B, 2)"),
        ('[sweep]\n"data.file" = ["table.csv", "none.csv"]\n', "no such file"),
    ],
)
def test_a_mistake_of_any_combination_is_found_before_anything_is_written(sweep, tmp_path, capsys, text, message):
    sweep.write_text(sweep.read_text().replace(SWEEP, text))
    assert message in mistake(capsys, "run", sweep, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_keys_may_be_quoted_or_tables(sweep):
    quoted = read_sweep(sweep)
    sweep.write_text(sweep.read_text().replace('"training.learning_rate"', "training.learning_rate"))
    assert [point.values for point in read_sweep(sweep)] == [point.values for point in quoted]
    assert {point.experiment.training.learning_rate for point in quoted} == {0.05, 0.01}


def test_options_of_a_learned_map_can_be_swept(sweep):
    sweep.write_text(sweep.read_text().replace(SWEEP, "").replace("[mirror]", "[map]") + '[sweep]\n"map.a" = [1, 2]\n')
    assert [point.experiment.map["a"] for point in read_sweep(sweep)] == [1, 2]
    with pytest.raises(tain.ConfigurationError, match="'test-log-ratio': unknown key 'a'"):
        read_sweep(sweep)[0].experiment.build_mirror(tain.create("constraint", "test-shares", parts=3))
