"""registry.toml: its form, and that the repository has one of it."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from tain.component import KINDS, Component
from tain.registry import distributions_with, registry

TEXT = files("tain").joinpath("registry.toml").read_text(encoding="utf-8")
WORKSPACE = Path(__file__).resolve().parents[2]


def test_the_file_follows_its_schema():
    content = tomllib.loads(TEXT)
    assert content.keys() == {"schema", "plugin"}
    assert content["schema"] == 1
    allowed = {"distribution", "module", "folder", "summary", "tier", "status", "provides"}
    for record in content["plugin"]:
        assert record.keys() <= allowed
        assert {"distribution", "module", "summary"} <= record.keys()
        assert record["distribution"] == record["distribution"].lower().replace("_", "-")
        assert record["module"].isidentifier()
        assert record["summary"]
        assert "\n" not in record["summary"]
        assert record.get("tier", "official") in ("official", "community")
        assert record.get("status", "available") in ("available", "planned")
        assert set(record.get("provides", {})) <= set(KINDS)
        for names in record.get("provides", {}).values():
            assert names == sorted(set(names))
            assert all(Component(name, object) for name in names)


def test_no_two_plugins_share_a_distribution_or_a_name():
    distributions = [plugin.distribution for plugin in registry()]
    assert len(distributions) == len(set(distributions))
    for kind in KINDS:
        names = [name for plugin in registry() for name in plugin.provides.get(kind, ())]
        assert len(names) == len(set(names))


def test_the_registry_reads_what_the_file_says():
    records = tomllib.loads(TEXT)["plugin"]
    assert [plugin.distribution for plugin in registry()] == [record["distribution"] for record in records]
    assert [plugin.distribution for plugin in distributions_with("constraint", "simplex")] == ["tain-analytic"]
    assert distributions_with("solver", "simplex") == ()


@pytest.mark.skipif(not (WORKSPACE / "plugins").is_dir(), reason="outside of the workspace")
def test_the_workspace_shows_the_same_file_at_its_top():
    link = WORKSPACE / "registry.toml"
    assert link.is_symlink()
    assert link.resolve() == WORKSPACE / "core" / "src" / "tain" / "registry.toml"


@pytest.mark.skipif(not (WORKSPACE / "plugins").is_dir(), reason="outside of the workspace")
def test_official_plugins_have_their_folders():
    for plugin in registry():
        if plugin.tier == "official" and plugin.status == "available":
            project = tomllib.loads((WORKSPACE / plugin.folder / "pyproject.toml").read_text())["project"]
            assert project["name"] == plugin.distribution
            assert (WORKSPACE / plugin.folder / "src" / plugin.module).is_dir()
