"""An environment for one distribution: a virtual environment with nothing but what its metadata name.

Libraries come from the index, or are borrowed from the running environment: then just the files of the distributions
in the closure of the metadata are linked, so that what they do not name is not there.
"""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path

import attrs
from isolated.workspace import CORE, IsolationError, Project, closure, siblings
from packaging.utils import canonicalize_name

__all__ = ["Environment"]


@attrs.frozen
class Environment:
    """A virtual environment in a folder."""

    folder: Path

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(self.folder)}))

    @property
    def scripts(self) -> Path:
        return Path(sysconfig.get_path("scripts", "venv", vars={"base": str(self.folder)}))

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of its programs: ours, without those that lead Python elsewhere."""
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        return {**kept, "VIRTUAL_ENV": str(self.folder), "PATH": f"{self.scripts}{os.pathsep}{os.environ['PATH']}"}

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run its Python; both streams of the output come as one."""
        return subprocess.run(
            [str(self.scripts / "python"), *arguments],
            cwd=cwd,
            env=self.variables,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def install(self, project: Project, projects: Mapping[str, Project], constraints: Path, *, borrow: bool) -> None:
        """Make it, with the core and its test kit, the distribution and all that they name.

        Raises:
            IsolationError: pip refuses, a library cannot be borrowed, or a sibling that nothing names came along.
        """
        venv.create(self.folder, symlinks=os.name != "nt")
        beside = siblings(project, projects)
        wheels = [_with_extras(projects[name], project) for name in beside]
        if borrow:
            found = closure(project.roots, lambda name: _here(name, projects))
            self._borrow([library for name, library in found.items() if name not in projects])
            self._pip("install", "--no-index", "--no-deps", *wheels)
            self._pip("check")  # that what is borrowed is of the versions that are asked for
        else:
            self._pip("install", "-c", str(constraints), *wheels)
        self.require_only(beside)

    def require_only(self, named: list[str]) -> None:
        """Check that no other distribution of tain, or plugin of it, is installed.

        Raises:
            IsolationError: there is one; the message names it.
        """
        for found in importlib.metadata.distributions(path=[str(self.site)]):
            name = canonicalize_name(found.name)
            of_tain = name == CORE or name.startswith(f"{CORE}-") or found.entry_points.select(group=CORE)
            if of_tain and name not in named:
                raise IsolationError(f"{name} is installed beside it, though no metadata name it")

    def _pip(self, *arguments: str) -> None:
        """Run our pip on it."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.scripts / "python")]
        run = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
        if run.returncode:
            raise IsolationError(f"pip {arguments[0]} failed:\n{run.stdout}{run.stderr}")

    def _borrow(self, libraries: list[Distribution]) -> None:
        """Link the files of distributions of the running environment, except their programs.

        A folder that none but these has files in is linked as a whole, since tens of thousands of links take minutes.
        """
        lent = {canonicalize_name(library.name) for library in libraries}
        others = [other for other in importlib.metadata.distributions() if canonicalize_name(other.name) not in lent]
        foreign = {folder for other in others for file in _files(other) for folder in _folders(file)}
        for library in libraries:
            home = Path(str(library.locate_file(""))).resolve()
            for path in {next(p for p in (*_folders(f), f) if p not in foreign) for f in _files(library)}:
                link = self.site / path
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink():  # by another, in the same folder
                    link.symlink_to(home / path)


def _files(distribution: Distribution) -> list[str]:
    """The files of a distribution beside its metadata, so not its programs, as paths with slashes."""
    return [file.as_posix() for file in distribution.files or () if ".." not in file.parts]


def _folders(file: str) -> list[str]:
    """The folders that a file is in, the outermost first."""
    parts = file.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _here(name: str, projects: Mapping[str, Project]) -> Distribution:
    """The workspace's distribution of that name, else the running environment's."""
    if name in projects:
        return projects[name].distribution
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as cause:
        raise IsolationError(f"{name} is needed, but not installed here, so it cannot be borrowed") from cause
    if found.files is None:
        raise IsolationError(f"{name} has no list of its files, so it cannot be borrowed")
    return found


def _with_extras(wheel: Project, tested: Project) -> str:
    """What pip is told to install: a wheel, with the extras that the tests need."""
    wanted = {extra for root in tested.roots if root.name == wheel.name for extra in root.extras}
    extras = wanted & set(wheel.distribution.metadata.get_all("Provides-Extra") or ())
    return f"{wheel.wheel}[{','.join(sorted(extras))}]" if extras else str(wheel.wheel)
