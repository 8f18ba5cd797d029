"""The examples in docstrings and in the README run."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tain_vae

FOLDER = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.iter_modules(tain_vae.__path__, "tain_vae.")]


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
    """In each row of the table every number stands in what the study printed of that beta."""
    printed = re.split(r"^beta ", (FOLDER / "studies" / "mnist.txt").read_text(), flags=re.MULTILINE)[1:]
    sections = {section.split(":")[0]: set(re.findall(r"-?[\d.]+", section)) for section in printed}
    rows = re.findall(r"^\| ([\d.]+) \| (.*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [beta for beta, _ in rows] == list(sections) == ["0.001", "0.1", "1"]
    for beta, cells in rows:
        assert set(cells.split(" | ")) <= sections[beta]
