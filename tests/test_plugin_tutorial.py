"""Everything in the tutorial on plugins is done, in order, by a new user in a fresh environment and an empty folder.

Console blocks hold commands after `$ `, and what they print, in which `...` stands for anything. A block that starts
with a comment of a file name is saved as that file; if it is indented, it replaces the method of its name there. Other
Python blocks are run. The last block is an entry of the registry.
"""

import ast
import doctest
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tain.registry import read_registry

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
NAME = re.compile(r"# (\S+\.\w+)\n(.*)", re.DOTALL)
OTHERS = ("CI", "PIP_", "PYTEST_", "PYTHON", "TAIN_")
"""Beginnings of variables that would change what is printed or installed."""

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
"""Variables by which packages are built from what is installed here already, without a network."""


class Reader:
    """Who follows the page.

    Attributes:
        python: of the fresh environment.
        folder: where commands are given.
    """

    def __init__(self, python, folder):
        self.python, self.folder = python, folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OTHERS)}
        self.variables = {**kept, **OFFLINE, "COLUMNS": "80", "PYTHONUTF8": "1"}

    def run(self, *arguments):
        """Run Python: its exit code, and all that it prints."""
        command = [self.python, *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        run = subprocess.run(command, cwd=self.folder, env=self.variables, encoding="utf-8", check=False, **streams)
        return run.returncode, run.stdout

    def follow(self, block):
        """Give the commands of a console block; each must end, and print, as the page says."""
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            command, _, remark = line.partition("  # exit code ")
            name, *arguments = shlex.split(command)
            if name == "cd":
                self.folder = self.folder / arguments[0]
                continue
            code, output = self.run(*program(name, arguments))
            assert code == int(remark or 0), f"{command}\n{output}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert not printed or doctest.OutputChecker().check_output(printed, output, flags), f"{command}\n{output}"

    def save(self, name, text):
        """Write a file of the page, or the method that is mended."""
        path = self.folder / name
        if text.startswith(" "):
            text = with_method(path.read_text(), text)
        path.write_text(text)


def program(name, arguments):
    """What Python is told to run a program of its environment, whose scripts are elsewhere."""
    if name == "python":
        return [*arguments, "--no-isolation"] if arguments == ["-m", "build"] else arguments
    (entry,) = {entry.value: entry for entry in entry_points(group="console_scripts", name=name)}.values()
    start = f"import sys; from {entry.module} import {entry.attr} as start; sys.argv[0] = {name!r}; sys.exit(start())"
    return ["-c", start, *arguments]


def with_method(source, method):
    """The source, with a method in place of the one that has its name."""
    (new,) = ast.parse(textwrap.dedent(method)).body
    (old,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, type(new)) and node.name == new.name)
    lines = source.splitlines(keepends=True)
    return "".join([*lines[: old.lineno - 1], method, *lines[old.end_lineno :]])


@pytest.fixture
def blocks():
    return BLOCK.findall((ROOT / "docs" / "tutorial-plugin.md").read_text(encoding="utf-8"))


def test_the_tutorial_leads_to_a_package_ready_to_be_published(blocks, fresh_python, tmp_path):
    reader = Reader(fresh_python, tmp_path)
    *blocks, (_, entry) = blocks
    for language, block in blocks:
        if language == "console":
            reader.follow(block)
        elif named := NAME.match(block):
            reader.save(*named.groups())
        else:
            assert language == "python", f"no test tries {language} blocks"
            code, output = reader.run("-c", block)
            assert code == 0, block + output

    (registered,) = read_registry(f"schema = 1\n{entry}")
    _, listed = reader.run(*program("tain", ["plugins", "--json"]))
    (record,) = (record for record in json.loads(listed) if record["distribution"] == registered.distribution)
    assert record["status"] == "loaded"
    assert record["provides"] == {kind: list(names) for kind, names in registered.provides.items()}

    package = reader.folder
    _, place = reader.run("-c", f"import {registered.module} as module; print(module.__file__)")
    assert "environment" in Path(place).parts, "what was tested last is not what was built"
    code, output = reader.run("-c", "".join(dict(BLOCK.findall((package / "README.md").read_text())).values()))
    assert code == 0, output
    for command in (["check", "--select", "E,F,I,B,UP,RUF"], ["format", "--check"]):
        tidy = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", "src", "tests"]
        subprocess.run(tidy, cwd=package, check=True)


def test_every_command_is_one_that_a_reader_types(blocks):
    commands = [line for language, block in blocks if language == "console" for line in block.splitlines()]
    typed = {line.split()[1] for line in commands if line.startswith("$ ")}
    assert typed == {"tain", "cd", "pip", "pytest", "python"}
