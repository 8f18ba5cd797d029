"""The catalogue: components by kind and name, clashes, hints at what to install, and the choice of a mirror map."""

import ast
import re

import pytest
import torch

import tain
from tain import catalogue, mirror_search
from tain.registry import Registered

MAPS = ("affine", "blocks-mirror", "chain", "refined")

RULE = """
    import tain

    class Rule(tain.Constraint):
        event_ndim = 1

        def __init__(self, size: int = 1):
            super().__init__()

        def distance(self, x):
            return x.abs().sum(-1)

    @tain.hookimpl
    def tain_constraints():
        yield tain.Component("rule", Rule, summary="zero")
"""

MAP = """
    import tain

    class Map{base}(tain.{base}):
        def __init__(self, constraint: tain.Constraint):
            super().__init__()
            self.constraint = constraint

        def forward(self, x):
            return x

        inverse = loss = potential = conjugate = log_det = hessian_vector = inverse_hessian_vector = forward

    @tain.hookimpl
    def tain_mirror_for(constraint):
        yield Map{base}(constraint)
"""


def register_rule(name: str = "rule") -> type:
    class Rule(tain.Constraint):
        event_ndim = 1

        def distance(self, x):
            return x.abs().sum(-1)

    tain.register("constraint", tain.Component(name, Rule))
    return Rule


def test_the_core_provides_what_joins_others_and_nothing_else():
    assert [(entry.kind, entry.name) for entry in tain.entries()] == [
        *(("constraint", name) for name in ("blocks", "both", "preimage")),
        *(("mirror-map", name) for name in MAPS),
        ("generator", "mirrored"),
    ]
    assert {entry.plugin.distribution for entry in tain.entries()} == {"tain"}
    assert tain.find("generator", "mirrored").target is tain.Mirrored


def test_entries_are_sorted_by_kind_and_name():
    for name in ("zebra", "ant"):
        register_rule(name)
    names = [entry.name for entry in tain.entries("constraint")]
    assert names == ["ant", "blocks", "both", "preimage", "zebra"]
    assert [entry.name for entry in tain.entries()] == [*names, *MAPS, "mirrored"]


def test_an_unknown_name_brings_the_nearest_ones():
    register_rule("circle")
    with pytest.raises(
        tain.UnknownNameError, match=r"^No plugin provides a constraint 'cricle'\. Did you mean: circle\?$"
    ):
        tain.create("constraint", "cricle")
    with pytest.raises(tain.UnknownNameError, match=r"^No plugin provides a solver 'circle'.$"):
        tain.find("solver", "circle")
    with pytest.raises(tain.UnknownNameError, match=r"no kind of component 'constraints'. Did you mean: constraint\?"):
        tain.create("constraints", "circle")


def test_many_names_are_not_all_listed():
    for index in range(27):
        register_rule(f"a{index:02d}")
    with pytest.raises(tain.UnknownNameError, match=r"Known: a00, a01, .* and 20 more\.$"):
        tain.find("constraint", "zzzzzz")


def test_a_registered_name_brings_what_to_install(monkeypatch):
    with pytest.raises(
        tain.UnknownNameError, match=r"^No constraint 'simplex' is installed. Run: pip install tain-analytic$"
    ):
        tain.create("constraint", "simplex")
    planned = Registered("tain-soon", "tain_soon", "", status="planned", provides={"constraint": ("soon",)})
    monkeypatch.setattr(catalogue, "distributions_with", lambda kind, name: (planned,))
    with pytest.raises(tain.UnknownNameError, match="No plugin provides"):
        tain.create("constraint", "soon")


def test_an_installed_distribution_that_lacks_the_name_is_to_be_upgraded(site):
    site.add("tain-analytic", RULE)
    with pytest.raises(tain.UnknownNameError, match=r"Run: pip install --upgrade tain-analytic$"):
        tain.create("constraint", "simplex")


def test_a_component_of_a_broken_plugin_brings_the_cause(site):
    site.add("tain-analytic", "import a_package_nobody_has", version="0.9")
    message = (
        r"^The constraint 'simplex' comes from tain-analytic 0.9, which is broken \(loading: ModuleNotFoundError: "
        r"No module named 'a_package_nobody_has'\). "
        r"Reinstall it \(pip install --upgrade --force-reinstall tain-analytic\), "
        r"or tell its authors; TAIN_BLOCK=analytic leaves it out.$"
    )
    with pytest.raises(tain.BrokenPluginError, match=message):
        tain.create("constraint", "simplex")
    register_rule()
    tain.create("constraint", "rule")


def test_a_component_of_a_blocked_plugin_tells_how_to_get_it(site, monkeypatch):
    site.add("tain-analytic", RULE)
    monkeypatch.setenv("TAIN_BLOCK", "tain-analytic")
    with pytest.raises(
        tain.BrokenPluginError, match=r"which is blocked \(by TAIN_BLOCK\). Take it out of TAIN_BLOCK.$"
    ):
        tain.create("constraint", "simplex")


def test_a_component_that_was_there_before_its_plugin_broke_brings_the_cause(site):
    site.add("tain-later", RULE + "\n    @tain.hookimpl\n    def tain_solvers():\n        raise ValueError('late')\n")
    tain.create("constraint", "rule")
    tain.entries("solver")
    assert "rule" not in [entry.name for entry in tain.entries("constraint")]
    with pytest.raises(
        tain.BrokenPluginError, match=r"'rule' comes from tain-later 1.0, .*\(tain_solvers: ValueError: late"
    ):
        tain.create("constraint", "rule")


def test_two_plugins_with_one_name_are_both_named(site, monkeypatch):
    site.add("tain-one", RULE)
    site.add("tain-two", RULE)
    message = r"^2 plugins provide the constraint 'rule': tain-one, tain-two. Prefer one with TAIN_PREFER=tain-one.$"
    with pytest.raises(tain.DuplicateNameError, match=message):
        tain.create("constraint", "rule")
    assert tain.find("generator", "mirrored").name == "mirrored"
    for preferred, winner in (("tain-two", "tain-two"), ("other, Tain_One", "tain-one"), ("two", "tain-two")):
        monkeypatch.setenv("TAIN_PREFER", preferred)
        tain.host.cache_clear()
        assert tain.find("constraint", "rule").plugin.distribution == winner
    monkeypatch.setenv("TAIN_PREFER", "one,two")
    tain.host.cache_clear()
    with pytest.raises(tain.DuplicateNameError):
        tain.find("constraint", "rule")


def test_two_plugins_of_one_distribution_are_told_apart_by_their_names(site, monkeypatch):
    site.add("tain-one", RULE)
    (site.folder / "tain_one_more.py").write_text((site.folder / "tain_one.py").read_text())
    (site.folder / "tain_one-1.0.dist-info" / "entry_points.txt").write_text(
        "[tain]\na = tain_one\nb = tain_one_more\n"
    )
    with pytest.raises(tain.DuplicateNameError, match=r"'rule': a, b. Prefer one with TAIN_PREFER=a.$"):
        tain.create("constraint", "rule")
    monkeypatch.setenv("TAIN_PREFER", "b")
    tain.host.cache_clear()
    assert tain.find("constraint", "rule").plugin.name == "b"


def test_a_script_that_takes_a_plugins_name_is_told_so(site):
    site.add("tain-one", RULE)
    register_rule()
    with pytest.raises(tain.DuplicateNameError, match=r"\(this program\), tain-one. Give yours another name.$"):
        tain.create("constraint", "rule")


def test_identify_finds_the_entry_of_an_object():
    rule = register_rule()
    assert tain.identify(rule()).name == "rule"

    class Stranger(tain.Constraint):
        event_ndim = 1

        def distance(self, x):
            return x.sum(-1)

    with pytest.raises(
        tain.UnknownNameError, match=re.escape("tain.register('constraint', tain.Component('my-name', Str")
    ):
        tain.identify(Stranger())
    with pytest.raises(tain.UnknownNameError, match="Linear is no component of tain"):
        tain.identify(torch.nn.Linear(1, 1))


@pytest.mark.parametrize(
    "installed",
    [
        ["Learned", "Legendre", "MirrorMap", "Projective"],
        ["Projective", "MirrorMap", "Learned"],
        ["MirrorMap", "Learned"],
        ["MirrorMap"],
    ],
)
def test_the_best_offer_is_taken(site, installed):
    for index, base in enumerate(installed):
        site.add(f"tain-p{index}", MAP.format(base=base))
    rule = register_rule()()
    ranked = [base for base in ("Legendre", "Projective", "MirrorMap", "Learned") if base in installed]
    assert [type(offer).__name__ for offer in tain.offers(rule)] == [f"Map{base}" for base in ranked]
    best = tain.mirror_for(rule)
    assert type(best).__name__ == f"Map{ranked[0]}"
    assert best.constraint is rule


def test_of_equal_offers_the_first_is_taken(site):
    site.add("tain-a", MAP.format(base="Projective").replace("yield", "yield from 2 * [0] and []\n        yield"))
    site.add("tain-b", MAP.format(base="Projective"))
    offers = tain.offers(register_rule()())
    assert [type(offer).__module__ for offer in offers] == ["tain_a", "tain_b"]


def test_a_broken_offer_leaves_the_others(site):
    site.add("tain-bad", MAP.format(base="Legendre").replace("yield", "yield constraint\n        yield"))
    site.add("tain-good", MAP.format(base="Projective"))
    assert type(tain.mirror_for(register_rule()())).__name__ == "MapProjective"


def test_no_offer_tells_who_was_asked_and_what_could_be_installed(site):
    site.add("tain-bad", "raise ValueError('broken')")
    site.add("tain-good", RULE)
    with pytest.raises(tain.NoMirrorMapError) as error:
        tain.mirror_for(register_rule("other")())
    assert str(error.value).startswith(
        "No installed plugin offers a mirror map for Rule (asked: tain, tain-good). tain-bad is broken (loading: "
        "ValueError: broken). Not installed: tain-analytic, "
    )


def test_no_offer_with_everything_installed_says_what_to_write(monkeypatch):
    monkeypatch.setattr(mirror_search, "registry", lambda: ())
    advice = r"Offer one by the hook tain_mirror_for, or give the rule a projection \(tain.Projectable\)"
    trained = (
        r"A map that has to be trained, as of tain-namm, is offered only for a shape: mirror_for\(rule, event_shape"
    )
    rule = register_rule()()
    for given, shape in ((None, "(32,)"), ((5,), "(5,)")):
        rule.event_shape = given
        with pytest.raises(tain.NoMirrorMapError, match=rf": tain\)\. {trained}={re.escape(shape)}\)\. {advice}\.$"):
            tain.mirror_for(rule)
    with pytest.raises(tain.NoMirrorMapError, match=rf"for Rule \(asked: tain\)\. {advice}\.$"):
        tain.mirror_for(rule, event_shape=(5,))


@pytest.mark.parametrize(("ndim", "shape"), [(0, "()"), (2, "(32, 32)"), (3, "(1, 32, 32)"), (4, "(1, 1, 32, 32)")])
def test_the_shape_that_is_proposed_fits_the_rule(ndim, shape):
    rule = register_rule()()
    rule.event_ndim = ndim
    with pytest.raises(tain.NoMirrorMapError, match=re.escape(f"event_shape={shape})")) as error:
        tain.mirror_for(rule)
    proposed = ast.literal_eval(re.search(r"event_shape=(\(.*?\))", str(error.value))[1])
    assert tain.offers(rule, event_shape=proposed) == ()


SHAPED = MAP.replace("tain_mirror_for(constraint)", "tain_mirror_for({arguments})").replace(
    "        yield Map{base}(constraint)", "        if {condition}:\n            yield Map{base}(constraint)"
)


def test_a_map_that_has_to_be_trained_is_offered_for_a_shape_only(site):
    shaped = {"base": "Learned", "condition": "event_shape == (2,)"}
    site.add("tain-a", SHAPED.format(arguments="constraint, event_shape", **shaped))
    site.add("tain-b", SHAPED.format(arguments="event_shape, constraint", **shaped))
    site.add("tain-c", SHAPED.format(arguments="constraint", base="Projective", condition="True"))
    rule = register_rule()()

    def asked(**shape):
        return [(type(offer).__module__, type(offer).__name__) for offer in tain.offers(rule, **shape)]

    exact = [("tain_c", "MapProjective")]
    assert asked() == asked(event_shape=None) == asked(event_shape=(3,)) == exact
    learned = [("tain_a", "MapLearned"), ("tain_b", "MapLearned")]
    assert asked(event_shape=(2,)) == asked(event_shape=[2]) == asked(event_shape=torch.Size((2,))) == exact + learned
    assert type(tain.mirror_for(rule, event_shape=(2,))).__name__ == "MapProjective"
    assert {plugin.status for plugin in tain.host().plugins} == {"loaded"}


def test_blocks_and_preimages_pass_on_the_shapes_of_their_parts(site):
    for name, base, shape in (("tain-a", "Learned", "(2,)"), ("tain-b", "Legendre", "(3,)")):
        condition = f"event_shape == {shape}"
        site.add(name, SHAPED.format(arguments="constraint, event_shape", base=base, condition=condition))
    rule = register_rule()()
    blocks = tain.Blocks((rule, rule), sizes=(2, 3))
    assert [type(part).__name__ for part in tain.mirror_for(blocks, event_shape=(5,)).mirrors] == [
        "MapLearned",
        "MapLegendre",
    ]
    with pytest.raises(tain.NoMirrorMapError, match=r"for Rule .*event_shape=\(32,\)"):
        tain.mirror_for(blocks)
    with pytest.raises(tain.NoMirrorMapError, match=r"for Rule \(asked: tain, tain-a, tain-b\)\. (?!A map)"):
        tain.mirror_for(tain.Blocks((rule, rule), sizes=(2, 4)), event_shape=(6,))
    site.add(
        "tain-c", SHAPED.format(arguments="constraint, event_shape", base="Learned", condition="event_shape == (5,)")
    )
    tain.host.cache_clear()
    assert [type(offer).__name__ for offer in tain.offers(blocks, event_shape=(5,))] == ["MapLearned", "BlocksMirror"]
    preimage = tain.Preimage(rule, torch.eye(3))
    assert type(tain.mirror_for(preimage, event_shape=(3,)).map).__name__ == "MapLegendre"
    assert tain.offers(preimage) == ()


def test_a_shape_that_is_none_of_the_rule_is_refused_before_anyone_is_asked(site):
    site.add("tain-p", SHAPED.format(arguments="constraint, event_shape", base="Learned", condition="1 / 0"))
    rule = register_rule()()
    for shape in ("ab", 3, (0,), (-1,), (2.5,), (True,), ("2",), {2}):
        with pytest.raises(tain.ConfigurationError, match=r"^mirror_for: 'event_shape'"):
            tain.mirror_for(rule, event_shape=shape)
    for shape in ((), (2, 2)):
        with pytest.raises(tain.ShapeError, match=r"^mirror_for: 'event_shape' is .*, but must be 1 number, .* Rule"):
            tain.mirror_for(rule, event_shape=shape)
    rule.event_shape = (4,)
    with pytest.raises(tain.ShapeError, match=r"'event_shape' is \(3,\), but must be \(4,\), the shape of one sample"):
        tain.offers(rule, event_shape=(3,))
    assert {plugin.status for plugin in tain.host().plugins} == {"loaded"}


def test_a_mirror_map_is_asked_for_a_constraint_not_for_its_class(site):
    site.add("tain-p", MAP.format(base="Legendre"))
    rule = register_rule()
    for wrong in (rule, "rule", None):
        with pytest.raises(tain.ConfigurationError, match=r"is no constraint\. Give an object"):
            tain.mirror_for(wrong)
    assert {plugin.status for plugin in tain.host().plugins} == {"loaded"}


def test_a_constructor_that_raises_is_told_with_its_distribution(site):
    site.add(
        "tain-odd",
        """
        import tain

        class Odd(tain.Constraint):
            event_ndim = 1

            def __init__(self, size: int):
                raise OSError("no table of constants")

            def distance(self, x):
                return x.abs().sum(-1)

        @tain.hookimpl
        def tain_constraints():
            yield tain.Component("odd", Odd)
        """,
    )
    message = (
        r"^The constraint 'odd' of tain-odd 1.0 could not be made \(OSError: no table of constants\). Check what it is "
        r"given \(\{'size': 3\}\), or tell its authors.$"
    )
    with pytest.raises(tain.BrokenPluginError, match=message):
        tain.create("constraint", "odd", size=3)
    with pytest.raises(tain.ConfigurationError, match="unknown key 'sise'"):
        tain.create("constraint", "odd", sise=3)
