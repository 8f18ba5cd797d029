"""Test each distribution alone, in an environment of its own that has nothing but what its metadata name.

    python tests/isolation.py [PLUGIN ... | --changed REVISION] [--borrow] [--smoke] [--jobs N]

Builds the wheels of core and of every plugin. Then for each that is chosen (by its folder's or its own name; all by
default): checks that its files import nothing that its metadata do not name, installs it with `tain[testing]` into a
fresh virtual environment, and runs its own tests and `pytest --tain-conformance` there, far from any source. Its tests
may need more, which its extra `test` names. A line for each tells how it went; the exit code is 1 if one failed, 2 for
a mistake of whoever runs this.

With `--borrow` the libraries are not fetched: those that the metadata name, and what they name in turn, are linked from
the running environment, and only those. What comes from tain is always built anew. With `--smoke` only the first case
of each of its own test functions is run, which imports and calls the same as all of them.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from isolated.environment import Environment
from isolated.imports import undeclared
from isolated.workspace import CORE, IsolationError, Project, build, changed

__all__ = ["main", "run_alone"]

ROOT = Path(__file__).resolve().parents[1]
FIRST_CASES = Path(__file__).parent / "isolated" / "first_cases.py"
TAIL = 40  # lines of a log that are shown of a failure


def run_alone(
    project: Project, projects: Mapping[str, Project], root: Path, folder: Path, *, borrow: bool, smoke: bool
) -> str:
    """Test one distribution in a new environment within a folder, and tell how many tests passed.

    Raises:
        IsolationError: it does not stand alone, or a test failed; the message holds the tail of the log.
    """
    if lines := undeclared(project, projects):
        raise IsolationError("\n".join(lines))
    environment = Environment(folder / "environment")
    environment.install(project, projects, root / "constraints.txt", borrow=borrow)
    work = folder / "work"  # as the workspace, but without any source
    home = work / project.folder.relative_to(root)
    shutil.copytree(project.folder, home, ignore=shutil.ignore_patterns("src", "__pycache__"))
    shutil.copytree(root / "docs", work / "docs")
    shutil.copy(root / "pyproject.toml", work)
    shutil.copy(FIRST_CASES, work)  # where `python -m pytest` finds it
    selected = ["-p", FIRST_CASES.stem] if smoke else []
    pytest = ("-m", "pytest", "-c", str(work / "pyproject.toml"), "--import-mode=importlib", "-q", "-rf")
    told = []
    for what, arguments in (("tests", [*selected, str(home / "tests")]), ("conformance", ["--tain-conformance"])):
        run = environment.run(*pytest, *arguments, cwd=work)
        if run.returncode:
            raise IsolationError(f"its {what} failed:\n" + "\n".join(run.stdout.splitlines()[-TAIL:]))
        counts = Counter({word: int(n) for n, word in re.findall(r"(\d+) (\w+)", run.stdout.splitlines()[-1])})
        told.append(f"{what} {counts['passed']} passed, {counts['skipped']} skipped")
    return "; ".join(told)


def choose(names: Iterable[str], projects: Mapping[str, Project]) -> list[Project]:
    """The distributions of these names, of folders or of their own; all if there is no name.

    Raises:
        IsolationError: there is none of that name.
    """
    known = {name: p for p in projects.values() for name in (p.name, p.folder.name)}
    if unknown := sorted(set(names) - known.keys()):
        raise IsolationError(f"there is no plugin {', '.join(unknown)}, but {', '.join(sorted(known))}")
    return list(dict.fromkeys(known[name] for name in names)) or list(projects.values())


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    summary, _, _ = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("plugin", nargs="*", help="what to test, by default core and all plugins")
    parser.add_argument("--changed", metavar="REVISION", help="test what changed since, and what names it")
    parser.add_argument("--borrow", "--offline", action="store_true", help="link libraries from this environment")
    parser.add_argument("--smoke", action="store_true", help="run only the first case of each of its own tests")
    parser.add_argument("--jobs", type=int, default=1, help="how many to test at once")
    parser.add_argument("--root", type=Path, default=ROOT, help="the workspace")
    given = parser.parse_args(arguments)
    if given.jobs < 1 or (given.plugin and given.changed):
        parser.error("give plugins or --changed, not both, and at least one job")
    root, since = given.root.resolve(), given.changed
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        try:
            projects = build(root, Path(folder) / "wheels")
            chosen = changed(root, since, projects) if since else choose(given.plugin, projects)
        except IsolationError as mistake:
            print(f"isolation: {mistake}", file=sys.stderr)
            return 2
        how = {"borrow": given.borrow, "smoke": given.smoke}
        run = partial(_told, projects=projects, root=root, folder=Path(folder), **how)
        failed = [project.name for project, passed in zip(chosen, pool.map(run, chosen), strict=True) if not passed]
    if failed:
        print(f"isolation: {', '.join(failed)} failed", file=sys.stderr)
    elif not chosen:
        print(f"isolation: nothing of {CORE} changed since {since}")
    return 1 if failed else 0


def _told(project: Project, *, projects: Mapping[str, Project], root: Path, folder: Path, **options: bool) -> bool:
    """Test one, print its line, and say whether it passed."""
    start = time.perf_counter()
    place = folder / project.name
    try:
        how = run_alone(project, projects, root, place, **options)
    except IsolationError as failure:
        how = f"FAILED: {failure}"
    finally:
        shutil.rmtree(place, ignore_errors=True)  # an environment may be as large as torch
    print(f"{project.name}: {how} ({time.perf_counter() - start:.0f} s)", flush=True)
    return not how.startswith("FAILED")


if __name__ == "__main__":
    sys.exit(main())
