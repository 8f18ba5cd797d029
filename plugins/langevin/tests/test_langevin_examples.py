"""The examples in docstrings and in the README run."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tain_langevin

FOLDER = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.iter_modules(tain_langevin.__path__, "tain_langevin.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    session: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), session)


def test_readme_figures_are_those_of_the_study():
    """In each row of the table every number stands in what the study printed of that solver."""
    printed = {}
    for line in (FOLDER / "studies" / "dirichlet.txt").read_text().splitlines()[1:-1]:
        name, *figures = re.split(r" {2,}", line.strip())
        printed[name.removesuffix(", inset 0")] = figures
    rows = re.findall(r"^\| `(\S+)`(.*?) \| ([\d.]+ .*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == 6
    for name, more, cells in rows:
        assert set(cells.split(" | ")) <= set(printed[name + more]), name + more
