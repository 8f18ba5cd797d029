"""Plugins of one file."""

import sys

import pytest
import torch

import tain

HOOKS = """
import tain

class Flux(tain.Constraint):
    event_ndim = 1

    def __init__(self, total: float = 1.0):
        super().__init__()
        self.total = total

    def distance(self, x):
        return (x.sum(-1) - self.total).abs()

@tain.hookimpl
def tain_constraints():
    yield tain.Component("one-off-flux", Flux, summary="fixed total")
"""
DECORATED = """
import tain

@tain.constraint("one-off-balanced", event_ndim=1)
def balanced(x):
    return x.sum(-1).abs()
"""


def file_with(folder, text, name="rules.py"):
    path = folder / name
    path.write_text(text)
    return path


def test_hooks_of_a_file_are_those_of_a_plugin(tmp_path):
    path = file_with(tmp_path, HOOKS)
    tain.load_plugin(path)
    rule = tain.create("constraint", "one-off-flux", total=2.0)
    assert rule.contains(torch.tensor([[1.0, 1.0]])).all()
    entry = tain.find("constraint", "one-off-flux")
    assert (entry.plugin.name, entry.plugin.distribution) == ("rules.py", str(path))
    again = tmp_path / "rule.safetensors"
    tain.save(rule, again)
    assert tain.load(again).total == 2.0


def test_decorators_in_a_file_register_as_in_a_script(tmp_path):
    tain.load_plugin(str(file_with(tmp_path, DECORATED)))
    tain.load_plugin(str(file_with(tmp_path, DECORATED)))  # again, as by two commands of one program
    assert tain.create("constraint", "one-off-balanced").contains(torch.tensor([[1.0, -1.0]])).all()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("raise SystemExit('no')", "SystemExit: no"),
        ("import none_such", "ModuleNotFoundError: No module named 'none_such'"),
        ("def", "SyntaxError"),
        ("x = 1", "it has neither hooks"),
        (
            "import tain\n@tain.hookimpl\ndef tain_constraint(): yield 1",
            "'tain_constraint' is no hook of tain. Did you mean",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, cause):
    path = file_with(tmp_path, text)
    with pytest.raises(tain.ConfigurationError) as raised:
        tain.load_plugin(path)
    assert str(raised.value).startswith(f"The plugin '{path}' cannot be used: ")
    assert cause in str(raised.value)
    assert "tain_one_off_rules" not in sys.modules
    assert all(plugin.name != "rules.py" for plugin in tain.host().plugins)


@pytest.mark.parametrize("name", ["none.py", "rules.txt", "."])
def test_what_is_no_python_file(tmp_path, name):
    file_with(tmp_path, DECORATED, "rules.txt")
    with pytest.raises(tain.ConfigurationError, match=r"is no file that ends in \.py"):
        tain.load_plugin(tmp_path / name)


def test_calls_of_hooks_are_traced(capsys):
    from tain.plugins import PluginHost

    quiet, told = PluginHost([], {}), PluginHost([], {"TAIN_TRACE": "1"})
    for host in (quiet, told):
        assert list(host.components("generator"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("tain: tain.tain_generators: 1 records (")
