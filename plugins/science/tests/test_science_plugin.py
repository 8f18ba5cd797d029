"""The plugin as tain sees it, its examples, and those of docstrings and README."""

import subprocess
import sys
from pathlib import Path

import pytest

import tain
import tain_science
from tain.testing.documents import check_docstrings, modules_of, python_blocks
from tain_science.examples import EXAMPLES

FOLDER = Path(__file__).parent.parent


def test_every_component_has_examples_of_its_class():
    entries = [entry for entry in tain.entries() if entry.plugin.distribution == "tain-science"]
    assert {entry.name for entry in entries} == set(EXAMPLES)
    for entry in entries:
        examples = list(entry.component.examples())
        assert examples
        assert all(type(example.component) is entry.target for example in examples)
        assert entry.component.summary


def test_every_name_is_exported():
    assert set(dir(tain_science)) == set(tain_science.__all__)
    final = [getattr(tain_science, name) for name in tain_science.__all__ if name != "Evolving"]
    assert all(made.__final__ for made in final)
    with pytest.raises(AttributeError, match="no attribute 'Burger'"):
        tain_science.Burger  # noqa: B018 (looking it up is the test)


def test_importing_the_plugin_imports_no_torch():
    code = "import sys, tain_science, tain_science.plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["tain_science", *modules_of(tain_science)])
def test_examples_of_docstrings(module):
    check_docstrings(module)


def test_examples_of_the_readme():
    session = {"__name__": "readme"}
    for block in python_blocks(FOLDER / "README.md"):
        exec(block, session)
