"""registry.toml, the folders of plugins, what they say of themselves and what they provide, all agree."""

import re
import tomllib
from pathlib import Path

import pytest

import tain
from tain.component import KINDS
from tain.registry import registry

ROOT = Path(__file__).parents[1]
OFFICIAL = [plugin for plugin in registry() if plugin.tier == "official"]
HERE = [plugin for plugin in OFFICIAL if plugin.status == "available"]
each = pytest.mark.parametrize("plugin", HERE, ids=lambda plugin: plugin.distribution)


def read(path):
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_the_workspace_shows_the_registry_at_its_top():
    assert (ROOT / "registry.toml").is_symlink()
    assert (ROOT / "registry.toml").resolve() == ROOT / "core" / "src" / "tain" / "registry.toml"


def test_each_folder_is_registered_and_each_registered_plugin_has_its_folder():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert folders == {plugin.folder for plugin in HERE}


@pytest.mark.parametrize("plugin", OFFICIAL, ids=lambda plugin: plugin.distribution)
def test_an_official_plugin_has_the_names_that_its_folder_gives_it(plugin):
    name = plugin.folder.removeprefix("plugins/")
    assert (plugin.distribution, plugin.module) == (f"tain-{name}", f"tain_{name}")


@each
def test_its_pyproject_says_the_same(plugin):
    name = plugin.folder.removeprefix("plugins/")
    content = read(f"{plugin.folder}/pyproject.toml")
    assert content["project"]["name"] == plugin.distribution
    assert content["project"]["entry-points"]["tain"] == {name: f"{plugin.module}.plugin"}
    assert content["tool"]["flit"]["module"]["name"] == plugin.module
    assert any(re.match(r"tain\b(?!-)", line) for line in content["project"]["dependencies"])
    assert (ROOT / plugin.folder / "src" / plugin.module / "py.typed").is_file()
    assert (ROOT / plugin.folder / "README.md").read_text().startswith(f"# {plugin.distribution}\n")
    assert list((ROOT / plugin.folder / "tests").glob("test_*.py"))


@each
def test_its_hooks_give_just_what_is_registered(plugin):
    (installed,) = [found for found in tain.host().plugins if found.distribution == plugin.distribution]
    given = {
        kind: tuple(entry.name for entry in tain.entries(kind) if entry.plugin.distribution == plugin.distribution)
        for kind in KINDS
    }
    assert installed.status == "loaded", installed.cause
    assert installed.module.__name__ == f"{plugin.module}.plugin"
    assert {kind: names for kind, names in given.items() if names} == plugin.provides


def test_the_workspace_installs_tests_and_checks_all_of_them():
    distributions, modules = [p.distribution for p in HERE], ["tain", *(p.module for p in HERE)]
    folders = ["core", *(p.folder for p in HERE)]
    top = read("pyproject.toml")["tool"]
    assert sorted(read("core/pyproject.toml")["project"]["optional-dependencies"]["all"]) == sorted(distributions)
    assert sorted(top["ruff"]["lint"]["isort"]["known-first-party"]) == sorted(modules)
    assert sorted(top["mypy"]["packages"]) == sorted(modules)
    assert sorted(top["mypy"]["mypy_path"].split(":")) == sorted(f"{folder}/src" for folder in folders)
    assert sorted(top["coverage"]["run"]["source_pkgs"]) == sorted(modules)
    assert sorted(top["pytest"]["testpaths"]) == sorted([*(f"{folder}/tests" for folder in folders), "tests"])
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = re.findall(r"^(?:-e )?\./([\w/]+)", (ROOT / name).read_text(), re.MULTILINE)
        assert sorted(lines) == sorted(folders), name


def test_the_readme_links_to_all_of_them():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for plugin in HERE:
        assert f"({plugin.folder}/README.md)" in text
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    bases = {"constraint": "Constraint", "mirror-map": "MirrorMap", "generator": "Generator", "solver": "Solver"}
    for kind, base in bases.items():
        assert set(re.findall(r"`(tain-\w+)`", rows[base])) == {p.distribution for p in HERE if kind in p.provides}
