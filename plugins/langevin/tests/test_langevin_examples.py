"""The examples in docstrings and in the README run."""

import re
from pathlib import Path

import pytest

import tain_langevin
from tain.testing.documents import check_docstrings, modules_of, python_blocks

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("name", modules_of(tain_langevin))
def test_docstring_examples(name):
    check_docstrings(name)


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for block in python_blocks(FOLDER / "README.md"):
        exec(block, session)


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
