"""The examples in docstrings and in the README run."""

from pathlib import Path

import pytest

import tain_lab
from tain.testing.documents import check_docstrings, modules_of, python_blocks

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("name", modules_of(tain_lab))
def test_docstring_examples(name):
    check_docstrings(name)


def test_readme_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in python_blocks(FOLDER / "README.md"):
        exec(block, {})
