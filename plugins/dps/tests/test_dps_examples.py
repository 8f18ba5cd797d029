"""The examples in docstrings and in the README run, and its figures are those of the study."""

import re
from pathlib import Path

import pytest

import tain_dps
from tain.testing.documents import check_docstrings, modules_of, python_blocks

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("name", modules_of(tain_dps))
def test_docstring_examples(name):
    check_docstrings(name)


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for block in python_blocks(FOLDER / "README.md"):
        exec(block, session)


def test_readme_figures_are_those_of_the_study():
    """Each row of the table has the four numbers that the study printed of that solver, for both sizes of the noise."""
    sections = re.split(r"^noise .*\n", (FOLDER / "studies" / "gaussian.txt").read_text(), flags=re.MULTILINE)[1:]
    printed = [dict(re.findall(r"^  (\w.*?): +mean (.*?)  seconds", text, re.MULTILINE)) for text in sections]
    rows = re.findall(
        r"^\| `?(\w+, [\w. ]+, \d+ steps)`? \| (.*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in rows] == list(printed[0]) == list(printed[1])
    for name, cells in rows:
        numbers = [number for found in printed for number in re.findall(r"[\d.]+", found[name])]
        assert cells.split(" | ") == numbers
