"""The examples in docstrings and in the README run."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tain_dual

FOLDER = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.iter_modules(tain_dual.__path__, "tain_dual.")]


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


def test_its_names_are_loaded_when_they_are_used():
    assert all(hasattr(tain_dual, name) for name in tain_dual.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(tain_dual, "nothing")  # noqa: B009 (as it is written elsewhere)
