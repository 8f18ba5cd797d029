"""The examples in docstrings and in the README run."""

import re
from pathlib import Path

import pytest

import tain_vae
from tain.testing.documents import check_docstrings, modules_of, python_blocks

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("name", modules_of(tain_vae))
def test_docstring_examples(name):
    check_docstrings(name)


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for block in python_blocks(FOLDER / "README.md"):
        exec(block, session)


def test_readme_figures_are_those_of_the_study():
    """In each row of the table every number stands in what the study printed of that beta."""
    printed = re.split(r"^beta ", (FOLDER / "studies" / "mnist.txt").read_text(), flags=re.MULTILINE)[1:]
    sections = {section.split(":")[0]: set(re.findall(r"-?[\d.]+", section)) for section in printed}
    rows = re.findall(r"^\| ([\d.]+) \| (.*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [beta for beta, _ in rows] == list(sections) == ["0.001", "0.1", "1"]
    for beta, cells in rows:
        assert set(cells.split(" | ")) <= sections[beta]
