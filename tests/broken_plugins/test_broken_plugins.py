"""Beside each plugin that is broken on purpose, truly installed, everything else works, and its fault is told.

The packages beside this file are built to wheels and unpacked into a folder on Python's path, as pip does.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tain
from tain.catalogue import host
from tain.testing.conformance import conformance_cases
from tain.testing.outcome import CheckError
from tain_lab.command import main

PACKAGES = Path(__file__).parent / "packages"

# The fault, and words of the cause that it is listed with. The last two load, and fail when they are asked for.
CAUSES = {
    "import-error": "loading: ImportError: cannot import name 'ThisNameIsNotThere'",
    "syntax-error": "loading: SyntaxError: ",
    "missing-dependency": "loading: ModuleNotFoundError: No module named 'a_package_that_nobody_has'",
    "nowhere": "loading: ModuleNotFoundError: No module named 'tain_broken_nowhere.plugin'",
    "raising-hook": "tain_constraints: ValueError: not today",
    "half-way": "tain_constraints: RuntimeError: the other half is lost",
    "wrong-return-type": "tain_constraints: TypeError: returned <class 'tain_broken_wrong_return_type.Rule'>",
    "wrong-signature": "loading: PluginValidationError: Plugin",
    "misspelt-hook": "'tain_constraint' is no hook of tain. Did you mean: tain_constraints",
    "other-version": "was built for version 2 of tain's hooks, but this tain has version 1. Upgrade tain",
    "duplicate-name": "",
    "raising-constructor": "",
}
BROKEN = [fault for fault, cause in CAUSES.items() if cause]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheel of each package, by fault."""
    folder = tmp_path_factory.mktemp("wheels")
    script = f"from flit_core.buildapi import build_wheel; print(build_wheel({str(folder)!r}))"
    built = {}
    for package in sorted(PACKAGES.iterdir()):
        run = subprocess.run([sys.executable, "-c", script], cwd=package, check=True, capture_output=True, text=True)
        built[package.name.removeprefix("tain-broken-")] = folder / run.stdout.strip()
    return built


@pytest.fixture
def install(wheels, tmp_path, monkeypatch):
    """Install broken plugins into this process."""
    folder = tmp_path / "site"
    before = set(sys.modules)

    def put(*faults):
        for fault in faults:
            with zipfile.ZipFile(wheels[fault]) as wheel:
                wheel.extractall(folder)
        monkeypatch.syspath_prepend(folder)
        host.cache_clear()
        return folder

    monkeypatch.delenv("TAIN_BLOCK", raising=False)
    monkeypatch.delenv("TAIN_PREFER", raising=False)
    yield put
    host.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("tain_broken"):
            del sys.modules[name]


@pytest.fixture
def experiment(tmp_path):
    """A small experiment that has nothing to do with any broken plugin."""
    shares = tain.create("constraint", "simplex", parts=3).interior(40, rng=0)
    rows = [",".join(f"{share:.9f}" for share in row) for row in shares.tolist()]
    (tmp_path / "shares.csv").write_text("\n".join(["a,b,c", *rows]) + "\n")
    path = tmp_path / "shares.toml"
    path.write_text(
        'baseline = false\n[data]\nfile = "shares.csv"\n[constraint]\nname = "simplex"\nparts = 3\n'
        '[generator]\nname = "vector-diffusion"\nwidth = 8\nblocks = 1\nevaluations = 2\n'
        "[training]\nsteps = 2\nbatch = 8\n[samples]\ncount = 10\n"
    )
    return path


def test_every_package_is_tried(wheels):
    assert sorted(CAUSES) == sorted(wheels)


@pytest.mark.parametrize("fault", BROKEN)
def test_it_is_listed_with_its_distribution_cause_and_fix(fault, install, capsys):
    install(fault)
    assert main(["plugins", "--json"]) == 0
    records = {record["distribution"]: record for record in json.loads(capsys.readouterr().out)}
    record = records.pop(f"tain-broken-{fault}")
    assert record["status"] == "broken"
    assert CAUSES[fault] in record["cause"]
    assert f"pip install --upgrade --force-reinstall tain-broken-{fault}" in record["fix"]
    assert {other["status"] for other in records.values()} == {"loaded"}
    assert "simplex" in records["tain-analytic"]["provides"]["constraint"]

    assert main(["plugins"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"tain-broken-{fault} is broken ({record['cause'][:40]}" in told
    assert record["fix"] in told


@pytest.mark.parametrize("fault", sorted(set(CAUSES) - {"duplicate-name"}))
def test_an_experiment_with_something_else_runs(fault, install, experiment, tmp_path, capsys):
    install(fault)
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize("fault", BROKEN)
def test_conformance_tests_the_others_and_names_it(fault, install):
    install(fault)
    found = {case.id: case.values[0] for case in conformance_cases()}
    with pytest.raises(CheckError, match=f"tain-broken-{fault} 1.0 is broken .*; TAIN_BLOCK=broken-{fault} leaves"):
        found[f"tain-broken-{fault}-broken-{fault}"]()
    found["tain-analytic-constraint-ball-distance-is-not-negative"]()


def test_conformance_runs_beside_all_of_them_at_once(install, tmp_path):
    folder = install(*CAUSES)
    paths = os.pathsep.join([str(folder), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "TAIN_TESTING_PROFILE": "quick"}
    chosen = "tain-broken or (tain-analytic-mirror-map-box-entropy and inverse)"
    command = [sys.executable, "-m", "pytest", "--tain-conformance", "-k", chosen, "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    out = " ".join(run.stdout.split())
    for fault in BROKEN:
        assert f"tain-broken-{fault} 1.0 is broken" in out
    assert "the constraint 'raising' of tain-broken-raising-constructor: its examples cannot be made (OSError" in out
    assert "tain-broken-duplicate-name-constraint-simplex-checkpoint-round-trip" in out  # two have its name
    assert f"{len(BROKEN) + 2} failed" in out


def test_what_cannot_be_made_is_told_in_one_line(install, experiment, tmp_path, capsys):
    install("raising-constructor")
    experiment.write_text(experiment.read_text().replace('"simplex"\nparts = 3', '"raising"'))
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "tain: The constraint 'raising' of tain-broken-raising-constructor 1.0 could not be made (OSError: the table "
        "of constants is missing). Check what it is given ({}), or tell its authors.\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_name_that_two_have_asks_for_a_choice_and_harms_no_other(install, experiment, tmp_path, monkeypatch, capsys):
    install("duplicate-name")
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 2
    assert (
        "2 plugins provide the constraint 'simplex': tain-analytic, tain-broken-duplicate-name. Prefer one with "
        in (capsys.readouterr().err)
    )
    assert not (tmp_path / "out").exists()
    assert tain.create("constraint", "ball", size=2, radius=1.0).event_ndim == 1
    assert main(["plugins"]) == 0
    monkeypatch.setenv("TAIN_PREFER", "tain-analytic")
    host.cache_clear()
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 0
