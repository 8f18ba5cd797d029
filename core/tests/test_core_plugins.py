"""The plugin host: whatever a plugin does wrong, everything else works, and the plugin is listed with its cause."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import tain
from tain.plugins import PluginHost

GOOD = """
    import tain

    @tain.hookimpl
    def tain_constraints():
        from tain import Component, Constraint

        class Good(Constraint):
            event_ndim = 1

            def distance(self, x):
                return x.abs().sum(-1)

        yield Component("good", Good, summary="zero")
"""

CLASSES = """
    import tain

    class Rule(tain.Constraint):
        event_ndim = 1

        def distance(self, x):
            return x.abs().sum(-1)

    class Map(tain.MirrorMap):
        def __init__(self, constraint: tain.Constraint):
            super().__init__()
            self.constraint = constraint

        def forward(self, x):
            return x

        def inverse(self, y):
            return y
"""

HOOK = "    @tain.hookimpl\n    def tain_constraints():\n"
OFFER = "    @tain.hookimpl\n    def tain_mirror_for(constraint):\n"

# What is wrong, the source of the plugin (None: no module at all), and words of the cause that it is listed with.
BROKEN = {
    "import error": ("from tain import Nothing", ["loading: ImportError", "'Nothing'"]),
    "syntax error": ("def f(:\n", ["loading: SyntaxError", "line 1"]),
    "missing dependency": ("import a_package_nobody_has", ["loading: ModuleNotFoundError", "a_package_nobody_has"]),
    "exit at import": ("import sys\nsys.exit('no licence')", ["loading: SystemExit: no licence"]),
    "error at import": ("raise RuntimeError('line one\\nline two')", ["loading: RuntimeError: line one line two"]),
    "entry point to nothing": (None, ["loading: ModuleNotFoundError", "tain_bad"]),
    "misspelt hook": (
        "import tain\n@tain.hookimpl\ndef tain_constraint(): return []",
        ["'tain_constraint' is no hook of tain", "Did you mean: tain_constraints"],
    ),
    "undecorated hook": (
        "def tain_constraints(): return []",
        ["'tain_constraints' in tain_bad lacks its decorator, @tain.hookimpl"],
    ),
    "wrong hook signature": (
        "import tain\n@tain.hookimpl\ndef tain_constraints(config): return []",
        ["loading: PluginValidationError", "config", "tain_constraints"],
    ),
    "hook that raises": (
        CLASSES + HOOK + "        raise ValueError('not today')\n",
        ["tain_constraints: ValueError: not today"],
    ),
    "hook that exits": (CLASSES + HOOK + "        raise SystemExit(3)\n", ["tain_constraints: SystemExit: 3"]),
    "generator that raises half way": (
        CLASSES + HOOK + "        yield tain.Component('half', Rule)\n        raise KeyError('rest')\n",
        ["tain_constraints: KeyError: 'rest'"],
    ),
    "a record instead of a list": (
        CLASSES + HOOK + "        return tain.Component('half', Rule)\n",
        ["tain_constraints: TypeError: returned Component(name='half'", "instead of a list, or yielding"],
    ),
    "classes instead of records": (
        CLASSES + HOOK + "        return [Rule]\n",
        ["tain_constraints: TypeError: gave <class 'tain_bad.Rule'> instead of a tain.Component"],
    ),
    "text instead of records": (
        CLASSES + HOOK + "        return 'flux'\n",
        ["TypeError: gave 'f' instead of a tain.Component"],
    ),
    "a class of the wrong kind": (
        CLASSES + HOOK + "        yield tain.Component('map', Map)\n",
        ["ConfigurationError: Map cannot be the constraint 'map': it is no Constraint"],
    ),
    "an abstract class": (
        CLASSES + HOOK + "        yield tain.Component('rule', tain.Constraint)\n",
        ["Constraint cannot be the constraint 'rule': it lacks distance"],
    ),
    "an object instead of a class": (
        CLASSES + HOOK + "        yield tain.Component('rule', Rule())\n",
        ["ConfigurationError: The component 'rule' is given an object of Rule"],
    ),
    "a name of the wrong form": (
        CLASSES + HOOK + "        yield tain.Component('My Rule', Rule)\n",
        ["ConfigurationError: A component's name is 'My Rule'"],
    ),
    "one name twice": (
        CLASSES + HOOK + "        yield tain.Component('rule', Rule)\n        yield tain.Component('rule', Rule)\n",
        ["gave two components the name 'rule'"],
    ),
    "hooks of a later version": (
        CLASSES + "    TAIN_HOOK_API = 2\n" + HOOK + "        yield tain.Component('rule', Rule)\n",
        ["was built for version 2 of tain's hooks, but this tain has version 1. Upgrade tain"],
    ),
    "hooks of an earlier version": (
        CLASSES + "    TAIN_HOOK_API = 0\n" + HOOK + "        yield tain.Component('rule', Rule)\n",
        ["was built for version 0 of tain's hooks", "Upgrade tain-bad"],
    ),
    "hooks of no version": (
        CLASSES + "    TAIN_HOOK_API = 'one'\n" + HOOK + "        yield tain.Component('rule', Rule)\n",
        ["TypeError"],
    ),
    "offer that raises": (
        CLASSES + OFFER + "        raise ValueError('cannot')\n",
        ["tain_mirror_for: ValueError: cannot"],
    ),
    "offer that raises half way": (
        CLASSES + OFFER + "        yield Map(constraint)\n        raise ValueError('cannot')\n",
        ["tain_mirror_for: ValueError: cannot"],
    ),
    "offer of no mirror map": (
        CLASSES + OFFER + "        yield constraint\n",
        ["tain_mirror_for: TypeError: offered Good() instead of a MirrorMap"],
    ),
    "offer of a map, not of a list": (
        CLASSES + OFFER + "        return Map(constraint)\n",
        ["tain_mirror_for: TypeError: returned Map(", "instead of a list, or yielding"],
    ),
    "offer for another constraint": (
        CLASSES + OFFER + "        yield Map(Rule())\n",
        ["tain_mirror_for: ValueError: offered a Map whose constraint is not the very object"],
    ),
    "offer without a constraint": (
        CLASSES + OFFER + "        made = Map(constraint)\n        del made.constraint\n        yield made\n",
        ["tain_mirror_for: AttributeError", "constraint"],
    ),
}


def use_everything() -> None:
    """What a program may do with the catalogue, in the presence of a broken plugin."""
    assert [entry.name for entry in tain.entries() if entry.plugin.name != "tain"] in (["good"], ["good", "rule"])
    good = tain.create("constraint", "good")
    assert tain.find("generator", "mirrored").plugin.distribution == "tain"
    assert tain.offers(good) == ()
    with pytest.raises(tain.NoMirrorMapError):
        tain.mirror_for(good)
    tain.constraint("scripted", event_ndim=1)(lambda x: x.abs().sum(-1))
    assert "scripted" in [entry.name for entry in tain.entries("constraint")]


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_breaks_nothing_and_is_listed_with_its_cause(site, fault):
    source, words = BROKEN[fault]
    site.add("tain-bad", source)
    site.add("tain-good", GOOD)
    use_everything()
    listed = {plugin.distribution: plugin for plugin in tain.host().plugins}
    assert {name: plugin.status for name, plugin in listed.items() if name != "(this program)"} == {
        "tain": "loaded",
        "tain-bad": "broken",
        "tain-good": "loaded",
    }
    cause = listed["tain-bad"].cause
    assert all(word in cause for word in words), cause
    assert "\n" not in cause
    with pytest.raises(tain.UnknownNameError, match=r"No plugin provides .* Not loaded: tain-bad is broken \("):
        tain.find("constraint", "nowhere")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("tain_bad:nothing", "AttributeError"),
        ("tain_bad:NONE", "names None, which is no module or object with hooks"),
        ("tain_bad:LIST", "names [], which is no module or object with hooks"),
        ("not a module", "loading: "),
        ("tain_bad:FIVE", "names 5, which is no module or object with hooks"),
    ],
)
def test_an_entry_point_to_something_odd(site, entry, words):
    site.add("tain-bad", "NONE = None\nLIST = []\nFIVE = 5", entry=entry)
    site.add("tain-good", GOOD)
    use_everything()
    bad = next(plugin for plugin in tain.host().plugins if plugin.distribution == "tain-bad")
    assert bad.status == "broken"
    assert words in bad.cause


def test_an_object_with_hooks_may_stand_for_a_module(site):
    source = CLASSES + (
        "    class Plugin:\n"
        "        @tain.hookimpl\n"
        "        def tain_constraints(self):\n"
        "            return [tain.Component('rule', Rule)]\n"
        "        def __len__(self):\n"
        "            return 0\n"
        "    plugin = Plugin()\n"
    )
    site.add("tain-object", source, entry="tain_object:plugin")
    assert tain.find("constraint", "rule").plugin.distribution == "tain-object"


def test_a_module_that_stumbles_over_unknown_attributes_harms_itself_only(site):
    site.add("tain-bad", "def __getattr__(name):\n    raise ImportError(f'{name} needs a package nobody has')")
    site.add("tain-good", GOOD)
    use_everything()
    bad = next(plugin for plugin in tain.host().plugins if plugin.distribution == "tain-bad")
    assert "ImportError: " in bad.cause


def test_a_half_removed_distribution_is_still_told_apart(site):
    site.add("tain-good", GOOD)
    site.add("tain-gone", None)
    (site.folder / "tain_gone-1.0.dist-info" / "METADATA").unlink()
    use_everything()
    assert [plugin.status for plugin in tain.host().plugins][:3].count("broken") == 1


def test_one_module_under_two_distributions_is_loaded_once(site):
    site.add("tain-good", GOOD)
    site.add("tain-old-good", None, entry="tain_good")
    use_everything()
    old = next(plugin for plugin in tain.host().plugins if plugin.distribution == "tain-old-good")
    assert old.cause == "loading: LookupError: tain_good is already loaded, for tain-good"


def test_hooks_of_another_plugin_may_be_implemented_as_optional(site):
    site.add("tain-data", "import tain\n@tain.hookimpl(optionalhook=True)\ndef tain_datasets(): return []")
    assert [plugin.status for plugin in tain.host().plugins] == ["loaded", "loaded"]


def test_a_plugin_may_use_the_catalogue_while_it_is_imported(site):
    site.add(
        "tain-early",
        """
        import tain

        @tain.constraint("early", event_ndim=1)
        def early(x):
            return x.abs().sum(-1)

        tain.create("constraint", "early")
        """,
    )
    site.add("tain-good", GOOD)
    assert [entry.name for entry in tain.entries("constraint") if entry.plugin.name != "tain"] == ["early", "good"]
    assert all(plugin.status == "loaded" for plugin in tain.host().plugins)


def test_a_hook_is_asked_once(site):
    site.add("tain-counted", CLASSES + "    calls = []\n" + HOOK + "        calls.append(1)\n        return []\n")
    for _ in range(3):
        tain.entries("constraint")
    assert sys.modules["tain_counted"].calls == [1]


def test_a_hook_that_returns_nothing_provides_nothing(site):
    site.add("tain-none", CLASSES + OFFER + "        pass\n" + HOOK + "        pass\n")
    site.add("tain-good", GOOD)
    use_everything()
    assert {plugin.status for plugin in tain.host().plugins} == {"loaded"}


def test_block_leaves_a_plugin_out_by_distribution_or_name(site, monkeypatch):
    site.add("tain-good", GOOD)
    site.add("tain-bad", "raise RuntimeError")
    for written in ("tain-bad, tain-good", "Tain_Bad,bad,TAIN.good", "bad,good,"):
        monkeypatch.setenv("TAIN_BLOCK", written)
        tain.host.cache_clear()
        assert {entry.plugin.name for entry in tain.entries()} == {"tain"}
        assert {plugin.distribution: plugin.status for plugin in tain.host().plugins} == {
            "tain": "loaded",
            "tain-bad": "blocked",
            "tain-good": "blocked",
        }
        assert "tain_bad" not in sys.modules
    with pytest.raises(tain.UnknownNameError, match=r"tain-good is blocked \(by TAIN_BLOCK\)"):
        tain.find("constraint", "good")


def test_a_host_takes_entry_points_and_an_environment():
    made = PluginHost([EntryPoint("odd", "nowhere", "tain")], {"TAIN_BLOCK": "other"})
    assert [(p.name, p.distribution, p.status) for p in made.plugins] == [
        ("tain", "tain", "loaded"),
        ("odd", "(unknown)", "broken"),
    ]
    assert PluginHost([], {"TAIN_PREFER": "a, b,"}).preferred == {"a", "b"}


def test_plugins_load_when_first_asked_for(site):
    site.add("tain-good", GOOD)
    tain.host()
    tain.constraint("scripted", event_ndim=1)(lambda x: x.abs().sum(-1))
    assert "tain_good" not in sys.modules
    tain.entries("solver")
    assert "tain_good" in sys.modules


def test_installed_plugins_are_found_in_a_new_process(site):
    site.add("tain-good", GOOD)
    site.add("tain-bad", "raise RuntimeError('broken on purpose')")
    script = (
        "import json, tain\n"
        "good = tain.create('constraint', 'good')\n"
        "print(json.dumps({p.distribution: [p.status, p.cause] for p in tain.host().plugins}))\n"
    )
    paths = os.pathsep.join([str(site.folder), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    listed = json.loads(ran.stdout)
    assert listed["tain-good"] == ["loaded", ""]
    assert listed["tain-bad"] == ["broken", "loading: RuntimeError: broken on purpose"]
