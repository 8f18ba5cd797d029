"""The main job on real input: 1519 household budgets, with rounded rows and 387 zeros, to samples on the simplex."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tain
from tain_lab.command import main
from tain_lab.tables import read_table

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "household-budgets.toml"


def shortened(folder: Path, steps: int, checkpoint_every: int) -> Path:
    """The example with fewer steps and samples."""
    text = EXAMPLE.read_text().replace('file = "', f'file = "{EXAMPLE.parent}/')
    text = text.replace("steps = 4000", f"steps = {steps}\ncheckpoint_every = {checkpoint_every}")
    path = folder / "budgets.toml"
    path.write_text(text.replace("count = 10000", "count = 2000"))
    return path


def inside_simplex(path: Path) -> bool:
    shares = read_table(path).values.astype(np.float32)
    return bool((shares >= 0).all() and (np.abs(shares.sum(1) - 1) <= 1e-6).all())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("budgets")
    experiment = shortened(folder, steps=150, checkpoint_every=40)
    assert main(["run", str(experiment), "--output", str(folder / "out")]) == 0
    return experiment, folder / "out"


def test_every_sample_keeps_the_rule_and_no_row_is_dropped(finished):
    _, out = finished
    report = json.loads((out / "report.json").read_text())
    assert inside_simplex(out / "samples.csv")
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert report["evaluation"]["rule"]["baseline"]["outside"] > 0.9
    treatment = report["data"]["treatment"]
    assert treatment["rows"] == report["data"]["train"] + report["data"]["held_out"] == 1519
    assert treatment["off_set"] == 652
    assert treatment["boundary_rows"] == 343
    assert treatment["boundary_entries"] == {
        "food": 0, "fuel": 3, "clothing": 96, "alcohol": 241, "transport": 47, "other": 0,
    }  # fmt: skip


def test_the_reloaded_model_draws_the_same_samples(finished, tmp_path):
    _, out = finished
    model = tain.load(out / "model")
    assert isinstance(model, tain.Mirrored)
    assert main(["sample", str(out), str(tmp_path / "again.csv"), "--count", "2000"]) == 0
    assert (tmp_path / "again.csv").read_bytes() == (out / "samples.csv").read_bytes()


def test_a_run_killed_in_mid_training_ends_with_the_same_weights(finished, tmp_path):
    experiment, undisturbed = finished
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tain_lab.command", "run", str(experiment), "--output", str(out)]
    state = out / "progress" / "samples.safetensors"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert state.exists()
    assert not (out / "model").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Going on with the run that was stopped" in done.stdout
    for name in ("model/generator.safetensors", "baseline/model.safetensors", "samples.csv", "model-losses.csv"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_the_table_can_be_checked(capsys):
    assert main(["check", str(EXAMPLE)]) == 0
    assert "1519 rows, 0 outside" in capsys.readouterr().out
    table = str(EXAMPLE.parent / "household-budgets.csv")
    columns = "food,fuel,clothing,alcohol,transport,other"
    arguments = ["check", table, "--constraint", "simplex", "--set", "parts=6", "--columns", columns]
    assert main(arguments) == 1
    assert "652 outside" in capsys.readouterr().out


@pytest.mark.slow
def test_samples_are_as_good_as_data(tmp_path):
    """The whole example: `pytest -m slow tests/test_household_budgets.py`, about two minutes on two cores."""
    assert main(["run", str(EXAMPLE), "--output", str(tmp_path / "out")]) == 0
    evaluation = json.loads((tmp_path / "out" / "report.json").read_text())["evaluation"]
    assert inside_simplex(tmp_path / "out" / "samples.csv")
    assert evaluation["rule"]["samples"]["count"] == 10_000
    for name in ("energy distance", "Sinkhorn divergence"):
        ratios = evaluation["ratios"][name]
        assert ratios["samples"] <= 1.5
        assert ratios["samples"] <= ratios["baseline"]
