"""`tain new`: a package for a component of one's own, which installs, is found, and passes its tests at once."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

from tain.component import KINDS
from tain.errors import ConfigurationError, nearest

__all__ = ["new_package"]

_WORDS = {"constraint": "constraint", "mirror-map": "mirror map", "generator": "generator", "solver": "solver"}

_SUBJECTS = {
    "constraint": "$Class(), $Class(size=5, total=-2.0)",
    "mirror-map": "$Class(${Class}Set()), ${Class}Set()",
    "generator": "$Class(), $Class(size=1)",
    "solver": "$Class()",
}
_USAGE = {
    "constraint": """import tain

rule = tain.create("constraint", "$name", size=4)
print(rule.explain(rule.interior(10, rng=0)))""",
    "mirror-map": """import tain
from $module import ${Class}Set

mirror = tain.mirror_for(${Class}Set(4))
y = mirror(mirror.constraint.interior(10, rng=0))  # any real numbers: fit a generator here
print(mirror.inverse(y))""",
    "generator": """import tain

model = tain.create("generator", "$name", size=4)
print(model.sample(10, rng=0))""",
    "solver": """import tain

solver = tain.create("solver", "$name")
print(solver.accepts)  # the kind of problem that solver.solve(problem, rng=0) answers""",
}
_HOOK = """@tain.hookimpl
def $hook():
    from $module import $Class

    yield tain.Component("$name", $Class, summary="$summary")"""
_MAP_HOOKS = """@tain.hookimpl
def tain_constraints():
    from $module import ${Class}Set

    yield tain.Component("$name-set", ${Class}Set, summary="The set of the mirror map $name")


@tain.hookimpl
def tain_mirror_maps():
    from $module import $Class, ${Class}Set

    def examples():  # the constructor takes what has no default, so tests need to be shown what
        return [$Class(${Class}Set())]

    yield tain.Component("$name", $Class, summary="$summary", examples=examples)


@tain.hookimpl
def tain_mirror_for(constraint):
    from $module import $Class, ${Class}Set

    if isinstance(constraint, ${Class}Set):
        yield $Class(constraint)"""


def new_package(kind: str, name: str, parent: Path) -> Path:
    """Write a package with one component and its tests into a new folder of `parent`.

    Args:
        kind: `constraint`, `mirror-map`, `generator` or `solver`.
        name: of the component: lower case, words joined by hyphens.
        parent: the folder that gets the package's folder, tain-NAME.

    Returns:
        The package's folder.

    Raises:
        ConfigurationError: there is no such kind, the name has other characters, or the folder exists.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"'{kind}' is no kind of component.{nearest(kind, KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or name.startswith("tain-"):
        raise ConfigurationError(
            f"The name is '{name}', but must be lower-case words joined by hyphens, such as unit-flux, without 'tain-'."
        )
    folder = parent / f"tain-{name}"
    if folder.exists():
        raise ConfigurationError(f"{folder} exists. Choose another name, or another folder with --output.")
    texts = _texts(kind, name)
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def _texts(kind: str, name: str) -> dict[str, str]:
    """The files of the package, by their place in it."""
    made = "".join(word.capitalize() for word in name.split("-"))
    exports = [made, f"{made}Set"] if kind == "mirror-map" else [made]
    stem = name.replace("-", "_")
    words = {
        "name": name,
        "distribution": f"tain-{name}",
        "module": f"tain_{stem}",
        "stem": stem,
        "Class": made,
        "summary": f"The {_WORDS[kind]} {name}",
        "version": version("tain"),
        "kind_in_words": _WORDS[kind],
        "exports": ", ".join(exports),
        "quoted_exports": ", ".join(f'"{export}"' for export in exports),
    }
    words["subjects"] = _filled(_SUBJECTS[kind], words)
    words["usage"] = _filled(_USAGE[kind], words)
    words["hook"] = f"tain_{kind.replace('-', '_')}s"
    words["hooks"] = _filled(_MAP_HOOKS if kind == "mirror-map" else _HOOK, words)
    source = f"src/{words['module']}"
    places = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        ".github/workflows/tests.yml": "workflow.yml",
        f"{source}/__init__.py": "init.py",
        f"{source}/plugin.py": "plugin.py",
        f"{source}/{stem}.py": f"{kind}.py",
        f"tests/test_{stem}.py": "test.py",
    }
    templates = files("tain_lab").joinpath("templates", "new")
    texts = {place: _filled(templates.joinpath(f"{used}.txt").read_text(), words) for place, used in places.items()}
    return {**texts, f"{source}/py.typed": ""}


def _filled(text: str, words: Mapping[str, str]) -> str:
    return Template(text).substitute(words)
