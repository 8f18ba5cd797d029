"""tain-science's data through tain-lab's command: they obey the rule that the command builds by its name."""

import json

import numpy as np
import pytest
import torch

import tain
from tain_lab.command import main

SMALL = {
    "crescents": (("size=16",), ("brightness", {"total": 120.0})),
    "burgers-trajectories": (("points=16", "snapshots=4"), ("burgers", {"viscosity": 0.5})),
    "kolmogorov-flow": (("size=12", "snapshots=2", "spin_up=0.5"), ("divergence-free", {})),
    "periodic-cells": (("cell=8", "tiles=[2, 3]"), ("periodic", {"tiles": (2, 3)})),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_command_makes_data_that_obey_the_rule(name, tmp_path, capsys):
    options, (rule, values) = SMALL[name]
    given = [part for option in options for part in ("--set", option)]
    assert main(["simulate", name, "--rows", "6", *given, "--out", str(tmp_path / "data.npy")]) == 0
    assert "6 rows" in capsys.readouterr().out
    rows = torch.from_numpy(np.load(tmp_path / "data.npy"))
    tain.create("constraint", rule, **values).require(rows)
    record = json.loads((tmp_path / "data.json").read_text())
    assert record["rows_outside"] == 0
    assert record["versions"]["tain-science"]


def test_the_command_lists_them(capsys):
    assert main(["simulate"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in (*SMALL, "radio-galaxies"))
