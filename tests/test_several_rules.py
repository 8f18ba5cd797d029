"""Whole household records end to end: shares on the simplex, money above zero, age between bounds, in one table."""

import json
from pathlib import Path

import numpy as np
import pytest

import tain
from tain_lab.command import main
from tain_lab.experiment import read_experiment
from tain_lab.tables import read_table

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "household-records.toml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    text = EXAMPLE.read_text().replace('file = "', f'file = "{EXAMPLE.parent}/')
    text = text.replace("steps = 3000", "steps = 60").replace("count = 10000", "count = 2000")
    (folder / "records.toml").write_text(text)
    assert main(["run", str(folder / "records.toml"), "--output", str(folder / "out")]) == 0
    return folder / "out"


def test_every_sample_keeps_every_rule(finished):
    samples = read_table(finished / "samples.csv").values.astype(np.float32)
    shares, money, age = samples[:, :6], samples[:, 6:8], samples[:, 8]
    assert samples.shape == (2000, 9)
    assert (shares >= 0).all()
    assert (np.abs(shares.sum(1) - 1) <= 1e-6).all()
    assert (money >= 0).all()
    assert ((age >= 18) & (age <= 100)).all()
    report = json.loads((finished / "report.json").read_text())
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert report["evaluation"]["rule"]["baseline"]["outside"] > 0.9


def test_each_block_is_mended_by_its_own_rule(finished):
    report = json.loads((finished / "report.json").read_text())
    treatment = report["data"]["treatment"]
    assert report["rule"]["mirror"] == "blocks-mirror"
    assert treatment["rows"] == report["data"]["train"] + report["data"]["held_out"] == 1519
    assert treatment["off_set"] == 652
    assert treatment["rounding"] == [5e-4, 0.0, 0.0]
    assert treatment["boundary_entries"] == {
        "food": 0, "fuel": 3, "clothing": 96, "alcohol": 241, "transport": 47, "other": 0,
        "total_expenditure_gbp": 0, "income_gbp": 0, "age_of_head": 0,
    }  # fmt: skip
    assert treatment["method"].startswith("food, fuel, clothing, alcohol, transport, other: Each row is divided")
    assert list(report["evaluation"]["boundary"]) == ["food", "fuel", "clothing", "alcohol", "transport", "other"]
    assert "0.0005, 0, 0" in (finished / "report.html").read_text()


def test_the_reloaded_model_draws_the_same_samples(finished, tmp_path):
    model = tain.load(finished / "model")
    assert isinstance(model.mirror, tain.BlocksMirror)
    assert tain.supports(model.mirror, tain.Legendre)
    assert main(["sample", str(finished), str(tmp_path / "again.csv"), "--count", "2000"]) == 0
    assert (tmp_path / "again.csv").read_bytes() == (finished / "samples.csv").read_bytes()


def test_each_rule_is_checked_in_its_own_columns(tmp_path, capsys):
    assert main(["check", str(EXAMPLE)]) == 0
    text = EXAMPLE.read_text().replace('file = "', f'file = "{EXAMPLE.parent}/').replace("[18.0]", "[21.0]")
    (tmp_path / "strict.toml").write_text(text)
    capsys.readouterr()
    assert main(["check", str(tmp_path / "strict.toml"), "--rows", "1"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "0 outside of Simplex(parts=6) by more than 0.0005" in told
    assert "outside of Box(lower=(21.0,), upper=(100.0,))" in told
    assert "age_of_head" in told
    assert "food" not in told
    assert main(["run", str(tmp_path / "strict.toml"), "--output", str(tmp_path / "out")]) != 0
    assert "is off the set of Box by" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[5e-4, 0.0, 0.0]", "[5e-4, 0.0]", "[data] rounding has 2 entries, but must be one number, or one for each"),
        ("[3e-4, 0.0, 0.0]", "[-1.0, 0.0, 0.0]", "detection_limit'[0] is -1.0, but must be at least 0"),
        ("parts = 6", "parts = 5", "samples have shape (1519, 9), but must have (B, 8)"),
        ('name = "simplex"', 'name = "simplx"', "No plugin provides a constraint 'simplx'. Did you mean: simplex?"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, capsys, old, new, words):
    text = EXAMPLE.read_text().replace('file = "', f'file = "{EXAMPLE.parent}/').replace(old, new)
    (tmp_path / "odd.toml").write_text(text)
    assert main(["run", str(tmp_path / "odd.toml"), "--output", str(tmp_path / "out")]) != 0
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_mirror_maps_of_mirror_maps_can_be_named_in_a_file(tmp_path):
    shares = 'simplex = { name = "simplex", parts = 3 }'
    head = """
[data]
file = "table.csv"
[generator]
name = "vector-diffusion"
"""
    blocks = """
[constraint]
name = "blocks"
constraints = [{ name = "simplex", parts = 3 }, { name = "ball", size = 2, radius = 1.0 }]
[mirror]
name = "blocks-mirror"
mirrors = [
    { name = "simplex-entropy", coordinates = "additive", SHARES },
    { name = "ball-barrier", beta = 0.5, ball = { name = "ball", size = 2, radius = 1.0 } },
]
"""
    chain = """
[constraint]
name = "simplex"
parts = PARTS
[mirror]
name = "chain"
first = { name = "simplex-entropy", SHARES }
[mirror.second]
name = "affine"
matrix = [[2.0, 0.0], [0.0, 0.5]]
map = { name = "identity", constraint = { name = "unconstrained" } }
"""
    path = tmp_path / "maps.toml"
    for text, kind in [(blocks, tain.BlocksMirror), (chain.replace("PARTS", "3"), tain.Chain)]:
        path.write_text(head + text.replace("SHARES", shares))
        experiment = read_experiment(path)
        mirror = experiment.build_mirror(experiment.build_constraint())
        assert isinstance(mirror, kind)
        assert tain.supports(mirror, tain.Bijective)
    path.write_text(head + chain.replace("SHARES", shares).replace("PARTS", "4"))
    experiment = read_experiment(path)
    with pytest.raises(tain.ConfigurationError, match=r"\[mirror\] 'chain' does not take a Simplex"):
        experiment.build_mirror(experiment.build_constraint())
