"""What the files of a distribution import without that its metadata name it, found without running them."""

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

from isolated.workspace import CORE, Project, requirements
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["undeclared"]

BY_NAME = {"importorskip", "import_module", "find_spec", "__import__"}  # functions that import what a string names


def undeclared(project: Project, projects: Mapping[str, Project]) -> list[str]:
    """A line for each import of a sibling or library that the metadata do not name.

    Source may import what the dependencies name, and a library that an extra names; tests also what the extra `test`
    names, and the core with its kit. What is not installed in the running environment is not known here: it fails when
    it is imported.
    """
    owners = {module: {canonicalize_name(name) for name in names} for module, names in packages_distributions().items()}
    owners |= {sibling.module: {sibling.name} for sibling in projects.values()}
    extras = set(project.distribution.metadata.get_all("Provides-Extra") or ()) - {"test"}
    source = _names(requirements(project.distribution)) | {project.name}
    source |= _names(requirements(project.distribution, extras)) - projects.keys()
    tests = source | _names(requirements(project.distribution, ["test"])) | {CORE}
    tests |= _names(requirements(projects[CORE].distribution, ["testing"]))
    beside = {path.stem for path in (project.folder / "tests").rglob("*.py")} | sys.stdlib_module_names
    lines = []
    for folder, named in (("src", source), ("tests", tests)):
        for path in sorted((project.folder / folder).rglob("*.py")):
            for line, module in _imports(path):
                homes = owners.get(module, set())
                if homes and not homes & named and module not in beside:
                    where = path.relative_to(project.folder).as_posix()
                    lines.append(f"{where}:{line} imports {module}, but pyproject.toml does not name {min(homes)}")
    return lines


def _names(named: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in named}


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the first part of the name of each module that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules = [module]
            case ast.Call(
                func=ast.Name(id=function) | ast.Attribute(attr=function), args=[ast.Constant(value=str(module)), *_]
            ) if function in BY_NAME:
                modules = [module]
            case _:
                continue
        for module in modules:
            yield node.lineno, module.partition(".")[0]
