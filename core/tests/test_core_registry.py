"""registry.toml: its form, and what is told of one that has another."""

import tomllib
from importlib.resources import files

import pytest

import tain
from tain.component import KINDS, Component
from tain.registry import distributions_with, read_registry, registry

TEXT = files("tain").joinpath("registry.toml").read_text(encoding="utf-8")
ENTRY = 'schema = 1\n[[plugin]]\ndistribution = "tain-flux"\nmodule = "tain_flux"\nsummary = "flux"\n'


def test_the_file_is_in_order():
    for record in tomllib.loads(TEXT)["plugin"]:
        assert record["distribution"] == record["distribution"].lower().replace("_", "-")
        assert record["module"].isidentifier()
        assert "\n" not in record["summary"]
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


def test_a_community_entry_is_read():
    (plugin,) = read_registry(ENTRY + 'tier = "community"\n[plugin.provides]\nconstraint = ["flux", "unit-flux"]\n')
    assert (plugin.distribution, plugin.tier, plugin.status) == ("tain-flux", "community", "available")
    assert plugin.provides == {"constraint": ("flux", "unit-flux")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY + 'sumary = "x"\n', "'tain-flux' has the unknown key 'sumary'. Did you mean: summary?"),
        (ENTRY + 'tier = "comunity"\n', "'tain-flux' has the unknown tier 'comunity'. Did you mean: community?"),
        (ENTRY + "status = 1\n", "'tain-flux' has the unknown status 1. Known: available, planned."),
        (ENTRY + "[plugin.provides]\nconstraints = []\n", "the unknown kind of components 'constraints'. Did you mean"),
        (ENTRY + '[plugin.provides]\nconstraint = "flux"\n', "has 'flux' as its constraint, but must have a list"),
        (ENTRY + 'provides = ["flux"]\n', "provides ['flux'], but must have a table of names by kind."),
        (ENTRY.replace('module = "tain_flux"\n', ""), "'tain-flux' has no 'module'."),
        (ENTRY.replace('"flux"', '""'), "'tain-flux' has '' as its summary, but must have text."),
        ("schema = 1\n[[plugin]]\n", "entry '1' has no 'distribution'."),
        ("schema = 1\nplugins = 1\n", "The registry has the unknown key 'plugins'. Did you mean: plugin?"),
        ("schema = 2\n", "The registry has the schema 2, but must have 1."),
        ("schema", "The registry is no TOML: "),
    ],
)
def test_what_is_wrong_is_told_with_the_entry(text, message):
    with pytest.raises(tain.ConfigurationError) as error:
        read_registry(text)
    assert message in str(error.value)
