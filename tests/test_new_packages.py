"""What `tain new` writes: packages that are built, installed in a fresh environment, found, and pass their tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tain.component import KINDS
from tain_lab.command import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """One new package of each kind."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        assert main(["new", kind, f"my-{kind}", "--output", str(folder)]) == 0
    return [folder / f"tain-my-{kind}" for kind in KINDS]


def told(python, *arguments, folder):
    """What a command of an environment's Python prints."""
    run = subprocess.run([python, *arguments], check=False, capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_packages_are_built_installed_and_pass_their_tests(packages, fresh_python, tmp_path):
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    told(fresh_python, *install, *map(str, packages), folder=tmp_path)
    tests = [str(package / "tests") for package in packages]
    test = ("-m", "pytest", "--import-mode=importlib", "-q", "-p", "no:cacheprovider", "-W", "error")
    told(fresh_python, *test, *tests, folder=tmp_path)
    listed = told(fresh_python, "-m", "tain_lab.command", "plugins", "--json", folder=tmp_path)
    records = {record["distribution"]: record for record in json.loads(listed)}
    for kind in KINDS:
        assert records[f"tain-my-{kind}"]["status"] == "loaded"
        assert f"my-{kind}" in records[f"tain-my-{kind}"]["provides"][kind]


def test_packages_are_tidy(packages):
    for package in packages:
        for command in (["check", "--select", "E,F,I,B,UP,RUF"], ["format", "--check"]):
            told(sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", ".", folder=package)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["constriant", "flux"], "'constriant' is no kind of component. Did you mean: constraint"),
        (["constraint", "Flux"], "The name is 'Flux', but must be lower-case words joined by hyphens"),
        (["constraint", "tain-flux"], "without 'tain-'"),
        (["constraint", "taken"], "exists. Choose another name"),
    ],
)
def test_mistakes_write_nothing(arguments, message, tmp_path, capsys):
    (tmp_path / "tain-taken").mkdir()
    assert main(["new", *arguments, "--output", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["tain-taken"]
