"""The benches, in small: every set of the suite is drawn and mapped, and each bench measures what it says."""

import json

import pytest
import torch

from tain_lab.bench.likelihood import _CASES
from tain_lab.bench.sets import SETS
from tain_lab.command import main
from tain_lab.randomness import stream


@pytest.mark.parametrize("name", SETS)
def test_the_data_of_a_set_keep_its_rule_and_come_back_from_the_mirror(name):
    entry = SETS[name]
    rule = entry.constraint()
    rows = entry.law(rule)(500, stream(0, name))
    assert bool(rule.contains(rows).all())
    mirror = entry.mirror_map(rule)
    assert torch.isfinite(mirror(rows)).all()
    assert mirror.inverse(mirror(rows)) == pytest.approx(rows, abs=1e-3)


@pytest.mark.parametrize("name", _CASES)
def test_a_known_density_is_one(name):
    """Its integral over the cells is one, and it gives what torch.distributions or a histogram of draws gives."""
    case = _CASES[name]()
    rows = case.law(20_000, stream(0, name))
    assert bool(case.rule.contains(rows).all())
    assert case.log_prob(rows).shape == (20_000,)
    if case.cells is None:
        return
    points, volumes = case.cells()
    mass = case.log_prob(points).exp() * volumes
    assert mass.sum().item() == pytest.approx(1, abs=2e-3)
    mean = (mass[:, None] * points).sum(0)
    assert rows.mean(0) == pytest.approx(mean, abs=0.03)


def test_the_suite_tells_every_figure(tmp_path):
    options = ["--steps", "20", "--rows", "200", "--repeats", "1", "--output", str(tmp_path / "out")]
    assert main(["bench", "mirror-suite", "--only", "cube-2,simplex-3", "--jobs", "2", *options]) == 0
    record = json.loads((tmp_path / "out" / "mirror-suite.json").read_text())
    assert list(record["cases"]) == ["simplex-3", "cube-2"]
    for figures in record["cases"].values():
        assert figures["outside"]["samples"] == 0
        assert figures["evaluations"] == 50
        for candidate in ("samples", "data", "baseline"):
            assert figures["distances"][candidate].keys() == {"Sinkhorn", "sliced", "MMD"}
            assert all(0 <= value < 100 for value in figures["distances"][candidate].values())
    simplex, cube = record["cases"].values()
    assert simplex["kept by rejection"] < 0.05
    assert "rejection" not in simplex["distances"]
    assert cube["distances"]["rejection"]["Sinkhorn"] > 0
    assert (tmp_path / "out" / "cube-2.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "out" / "mirror-suite.md").read_text()
    assert "| simplex-3 | " in table
    assert "2 processes of one thread" in table


def test_a_bench_of_densities_needs_them(tmp_path, capsys):
    options = ["--steps", "5", "--rows", "100", "--output", str(tmp_path / "out")]
    assert main(["bench", "likelihood", "--only", "correlated Gaussian", "--generator", "vector-vae", *options]) == 2
    assert "needs a generator with log_prob, but 'vector-vae' has none" in capsys.readouterr().err


def test_likelihood_and_few_steps_measure(tmp_path):
    options = ["--steps", "20", "--rows", "100", "--repeats", "1"]
    out = tmp_path / "likelihood"
    assert main(["bench", "likelihood", "--only", "Gaussian in a square", *options, "--output", str(out)]) == 0
    (figures,) = json.loads((out / "likelihood.json").read_text())["cases"].values()
    assert 0.5 < figures["integral"] < 1.5
    assert -2 < figures["difference"] < 0.5
    out = tmp_path / "few-steps"
    assert main(["bench", "few-steps", "--only", "cube-3", *options, "--output", str(out)]) == 0
    (figures,) = json.loads((out / "few-steps.json").read_text())["cases"].values()
    assert figures["Sinkhorn"].keys() == {"20 evaluations", "1000 evaluations", "data"}
