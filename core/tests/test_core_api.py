"""The public face: names, docstrings, examples in docstrings and in the README, hooks."""

import ast
import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import subprocess
import sys
import types
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import tain
from tain import hookspecs
from tain.plugins import HOOK_OF_KIND

MODULES = sorted(name for _, name, _ in pkgutil.iter_modules(tain.__path__, "tain."))
README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.parametrize("name", tain.__all__)
def test_a_public_name_resolves_and_is_documented(name):
    value = getattr(tain, name)
    assert not isinstance(value, types.ModuleType)
    if name not in ("Kind", "hookimpl"):  # a type alias, and an object of pluggy's
        assert inspect.getdoc(value)
        assert value.__module__.startswith("tain.")
        if inspect.isclass(value):
            assert "__doc__" in vars(value)


def test_no_submodule_hides_a_public_name():
    """Importing a submodule binds it to the package, over a lazy name that is spelt the same."""
    assert not {name.removeprefix("tain.") for name in MODULES} & set(tain.__all__)


def test_the_imports_for_type_checkers_agree_with_the_table():
    tree = ast.parse(Path(tain.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    imported = {alias.name: node.module for node in block.body for alias in node.names}
    assert imported == {name: f"tain.{module}" for name, module in tain._MODULE_OF.items()}
    assert all(alias.asname == alias.name for node in block.body for alias in node.names)


def test_every_public_name_is_in_the_all_of_its_home():
    for name, module in tain._MODULE_OF.items():
        assert name in importlib.import_module(f"tain.{module}").__all__


def test_the_package_lists_its_names_and_refuses_others():
    assert dir(tain) == tain.__all__ == sorted(tain.__all__)
    with pytest.raises(AttributeError, match="module 'tain' has no attribute 'Simplex'"):
        _ = tain.Simplex


@pytest.mark.parametrize("name", MODULES)
def test_a_module_teaches_and_lists_its_names(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{name}.{public}"


@pytest.mark.parametrize("name", MODULES)
def test_public_methods_are_documented(name):
    module = importlib.import_module(name)
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) and value.__module__ == name:
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_") and method != "extra_repr":
                    assert inspect.getdoc(getattr(value, method)), f"{name}.{public}.{method}"


@pytest.mark.parametrize("name", [*MODULES, "tain"])
def test_the_examples_in_docstrings_hold(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS, report=False)
    assert found.failed == 0
    assert "+SKIP" not in inspect.getsource(module)


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 10


def test_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(block, str(README), "exec"), {"__name__": "__readme__"})
        assert printed.getvalue()


def test_every_hook_is_declared_documented_and_shown_by_an_example():
    hooks = {name: value for name, value in vars(hookspecs).items() if name.startswith("tain_")}
    assert set(hooks) == {*HOOK_OF_KIND.values(), "tain_mirror_for"}
    assert set(HOOK_OF_KIND) == set(tain.component.KINDS)
    for name, hook in hooks.items():
        example = inspect.getdoc(hook).partition("Example:\n")[2]
        tree = ast.parse(inspect.cleandoc(example))
        (function,) = tree.body
        assert function.name == name
        assert ast.unparse(function.decorator_list[0]) == "tain.hookimpl"
        assert [argument.arg for argument in function.args.args] == list(inspect.signature(hook).parameters)


def test_every_error_is_a_tain_error():
    for name in tain.errors.__all__:
        value = getattr(tain.errors, name)
        if inspect.isclass(value) and not issubclass(value, Warning):
            assert issubclass(value, tain.TainError)
            assert value is tain.TainError or len(value.__bases__) == 2


LIGHT = ["tain", "tain.errors", "tain.plugins", "tain.registry", "tain.component", "tain.hookspecs", "tain.builtin"]


@pytest.mark.parametrize("name", LIGHT)
def test_what_lists_plugins_needs_no_torch(name):
    script = f"import sys, {name}; print(sorted({{'torch', 'numpy', 'safetensors'}} & sys.modules.keys()))"
    ran = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_listing_installed_plugins_needs_no_torch(site):
    site.add("tain-light", "import tain\n@tain.hookimpl\ndef tain_constraints():\n    import torch\n    return []\n")
    script = (
        "import sys; from tain.plugins import PluginHost\n"
        "names = [plugin.distribution for plugin in PluginHost().plugins if plugin.distribution == 'tain-light']\n"
        "print(names, 'torch' in sys.modules)"
    )
    paths = os.pathsep.join([str(site.folder), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['tain-light'] False"
