"""The distributions of a workspace: their folders, their wheels, and which others those name."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path

import attrs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["CORE", "IsolationError", "Project", "build", "changed", "closure", "requirements", "siblings"]

CORE = "tain"
BUILD = """
import os, sys
from flit_core.buildapi import build_wheel

os.makedirs(sys.argv[1])
for folder in sys.argv[2:]:
    os.chdir(folder)
    print(build_wheel(sys.argv[1]), flush=True)
"""
SHARED = ("constraints.txt", "pyproject.toml", "tests/isolat")  # paths that begin so concern every distribution


class IsolationError(Exception):
    """A plugin is not tested, or does not stand alone; the message says why."""


@attrs.frozen
class Project:
    """One distribution of the workspace.

    Attributes:
        folder: where its pyproject.toml is.
        wheel: what was built from it.
        distribution: the wheel's metadata, which is what pip goes by.
    """

    folder: Path
    wheel: Path
    distribution: Distribution

    @property
    def name(self) -> str:
        return canonicalize_name(self.distribution.name)

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def roots(self) -> list[Requirement]:
        """What its tests need: itself, the test kit of the core, and its own extra `test`."""
        return [Requirement(f"{CORE}[testing]"), Requirement(f"{self.name}[test]")]


def requirements(distribution: Distribution, extras: Iterable[str] = ()) -> list[Requirement]:
    """What a distribution names itself, here and with these extras."""
    named = [Requirement(line) for line in distribution.requires or ()]
    cases = [{"extra": extra} for extra in ("", *extras)]
    return [one for one in named if one.marker is None or any(one.marker.evaluate(case) for case in cases)]


def closure(roots: Iterable[Requirement], find: Callable[[str], Distribution | None]) -> dict[str, Distribution]:
    """All distributions that requirements name, and that these name in turn, by name, as far as they are found."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(roots)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (distribution := find(name)) is None:
            continue
        found[name] = distribution
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += requirements(distribution, [extra])
    return found


def siblings(project: Project, projects: Mapping[str, Project]) -> list[str]:
    """The distributions of the workspace that must stand beside one for its tests: itself, the core, what they name."""
    return sorted(closure(project.roots, lambda name: projects[name].distribution if name in projects else None))


def build(root: Path, wheels: Path) -> dict[str, Project]:
    """The wheels of core and all plugins, built into a folder, by name.

    Raises:
        IsolationError: one cannot be built.
    """
    folders = [root / "core", *sorted(path.parent for path in root.glob("plugins/*/pyproject.toml"))]
    command = [sys.executable, "-c", BUILD, str(wheels), *map(str, folders)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    built = run.stdout.splitlines()
    if run.returncode:
        cause = run.stderr.strip().splitlines()[-1]
        raise IsolationError(f"the wheel of {folders[len(built)]} cannot be built ({cause})")
    projects = {}
    for folder, name in zip(folders, built, strict=True):
        (distribution,) = importlib.metadata.distributions(path=[str(wheels / name)])
        project = Project(folder, wheels / name, distribution)
        projects[project.name] = project
    return projects


def changed(root: Path, base: str, projects: Mapping[str, Project]) -> list[Project]:
    """The distributions that differ from a revision of git, and those that name one of them, however indirectly.

    Raises:
        IsolationError: git knows no such revision.
    """
    paths: list[str] = []
    committed, new = ["diff", "--name-only", "--no-renames", base, "--"], ["ls-files", "--others", "--exclude-standard"]
    for command in (committed, new):
        run = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False)
        if run.returncode:
            raise IsolationError(f"git cannot tell what changed since '{base}': {run.stderr.strip()}")
        paths += run.stdout.splitlines()
    if any(path.startswith(SHARED) for path in paths):
        return list(projects.values())

    def differs(name: str) -> bool:
        folder = projects[name].folder.relative_to(root).as_posix()
        return any(path.startswith(f"{folder}/") for path in paths)

    return [p for p in projects.values() if any(map(differs, siblings(p, projects)))]
