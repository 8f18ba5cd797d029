"""Configuration: what a constructor takes is checked, converted, recorded, and refused with a message that helps."""

import copy
import math
import sys
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Optional

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import tain
from tain import ConfigurationError, Field
from tain.configured import Configured, bind, configuration, parameters


class Taking(Configured):
    """Takes one of everything."""

    def __init__(
        self,
        number: float = 1.0,
        count: int = 1,
        flag: bool = False,
        word: str = "w",
        pair: tuple[int, float] = (1, 2.0),
        many: tuple[float, ...] = (),
        loose: Sequence[float] = (),
        either: float | tuple[float, ...] = 0.0,
        maybe: Optional[int] = None,  # noqa: UP045 (the old spelling must work as well)
        mode: Literal["fast", "exact", 3] = "fast",
        matrix: Tensor | None = None,
        limited: Annotated[float, Field("a temperature", unit="K", above=0, at_most=1000)] = 300.0,
        limits: Annotated[tuple[float, ...], Field("", at_least=0, below=1)] = (),
        inner: Annotated[float, Field("", above=0)] | None = None,
        implicit: float = None,  # noqa: RUF013 (as people write it)
        anything=None,
    ):
        super().__init__()


class Ring(tain.Constraint):
    event_ndim = 1

    def __init__(self, radius: float = 1.0):
        super().__init__()
        self.radius = radius

    def distance(self, x):
        return (x.norm(dim=-1) - self.radius).abs()


class Radial(tain.MirrorMap):
    def __init__(self, constraint: tain.Constraint):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        return x

    def inverse(self, y):
        return y


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("number", 2, 2.0),
        ("number", np.float32(0.5), 0.5),
        ("number", math.inf, math.inf),
        ("count", np.int64(3), 3),
        ("flag", True, True),
        ("pair", [3, 4], (3, 4.0)),
        ("many", [1, 2], (1.0, 2.0)),
        ("many", torch.Size([1, 2]), (1.0, 2.0)),
        ("loose", [1], (1.0,)),
        ("either", 3, 3.0),
        ("either", [3], (3.0,)),
        ("maybe", None, None),
        ("maybe", 4, 4),
        ("mode", "exact", "exact"),
        ("mode", 3, 3),
        ("limited", 1000, 1000.0),
        ("inner", 2, 2.0),
        ("implicit", None, None),
        ("implicit", 1, 1.0),
        ("anything", [1, "a"], [1, "a"]),
        ("anything", {"name": "ring"}, {"name": "ring"}),
    ],
)
def test_a_value_is_converted_to_its_declared_type(key, given, kept):
    value = configuration(Taking(**{key: given}))[key]
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("number", "1", ["'number' is '1' (str)", "must be a float"]),
        ("number", True, ["'number' is True (bool)", "must be a float"]),
        ("number", None, ["'number' is None", "must be a float"]),
        ("number", 10**400, ["must be a float"]),
        ("number", math.nan, ["'number' is nan", "must be a number"]),
        ("count", True, ["'count' is True (bool)", "must be an int"]),
        ("count", 1.0, ["'count' is 1.0 (float)", "must be an int"]),
        ("flag", 1, ["'flag' is 1 (int)", "must be a bool"]),
        ("word", 1, ["must be a str"]),
        ("pair", [1], ["'pair' has 1 entries", "must have 2"]),
        ("pair", [1.5, 1], ["'pair'[0] is 1.5", "must be an int"]),
        ("pair", "ab", ["'pair' is 'ab'", "must be a tuple"]),
        ("many", "ab", ["'many' is 'ab'", "must be a list of float"]),
        ("many", [0.0, math.nan], ["'many'[1] is nan"]),
        ("loose", "ab", ["'loose' is 'ab'", "must be a list of float"]),
        ("loose", ["a"], ["'loose'[0] is 'a'", "must be a float"]),
        ("either", "a", ["'either' is 'a'", "must be a float or list of float"]),
        ("either", [1, "a"], ["'either'[1] is 'a'", "must be a float"]),
        ("maybe", 1.5, ["must be an int or None"]),
        ("mode", "fats", ["'mode' is 'fats'", "'fast', 'exact', 3", "Did you mean: fast?"]),
        ("mode", True, ["must be 'fast' or 'exact' or 3"]),
        ("matrix", "a", ["must be a Tensor or None"]),
        ("matrix", True, ["must be a Tensor or None"]),
        ("matrix", [[1.0], [1.0, 2.0]], ["must be a Tensor"]),
        ("matrix", torch.tensor([0.0, math.nan]), ["'matrix' has an entry nan", "must be a number"]),
        ("limited", 0, ["'limited' is 0.0 K", "must be above 0 K"]),
        ("limited", 2000, ["'limited' is 2000.0 K", "must be at most 1000 K"]),
        ("limits", [0.5, 1.0], ["'limits'[1] is 1.0", "must be below 1"]),
        ("limits", [-1], ["'limits'[0] is -1.0", "must be at least 0"]),
        ("inner", 0.0, ["'inner' is 0.0", "must be above 0"]),
        ("anything", math.nan, ["'anything' is nan"]),
    ],
)
def test_a_wrong_value_is_refused_by_place_value_and_limit(key, given, words):
    with pytest.raises(ConfigurationError) as error:
        Taking(**{key: given})
    message = str(error.value)
    assert message.startswith(f"Taking: '{key}'")
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_a_list_becomes_a_tensor_and_a_tensor_keeps_its_dtype():
    assert torch.equal(configuration(Taking(matrix=[[1, 2], [3, 4]]))["matrix"], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    half = torch.ones(2, dtype=torch.float16)
    assert configuration(Taking(matrix=half))["matrix"].dtype is torch.float16
    assert configuration(Taking(matrix=[]))["matrix"].shape == (0,)


def test_limits_hold_for_every_number_of_a_tensor():
    class Weighted(Configured):
        def __init__(self, weights: Annotated[Tensor, Field("", unit="kg", at_least=0)]):
            super().__init__()

    Weighted(torch.tensor([0.0, 1.0]))
    Weighted(torch.tensor([3, 4]))
    with pytest.raises(ConfigurationError, match=r"'weights' has an entry -1.0 kg, but must be at least 0 kg"):
        Weighted(torch.tensor([0.0, -1.0]))


def test_a_message_with_a_long_value_stays_one_short_line():
    for value in (nn.Linear(2, 2), nn.Sequential(*(nn.Linear(2, 2) for _ in range(50))), np.eye(30), "x" * 5000):
        with pytest.raises(ConfigurationError) as error:
            Taking(number=value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 200


def test_a_table_becomes_the_component_that_it_names():
    tain.register("constraint", tain.Component("ring", Ring))
    built = Radial({"name": "ring", "radius": 2})
    assert isinstance(built.constraint, Ring)
    assert built.constraint.radius == 2.0
    with pytest.raises(ConfigurationError, match=r"constraint 'ring': unknown key 'radiu'. Did you mean: radius"):
        Radial({"name": "ring", "radiu": 2})
    with pytest.raises(ConfigurationError, match=r"Radial: 'constraint' is \{'radius': 2\}.* under 'name'"):
        Radial({"radius": 2})
    with pytest.raises(tain.UnknownNameError, match="Did you mean: ring"):
        Radial({"name": "rign"})


def test_a_table_is_built_once_only():
    built = []

    class Counted(Ring):
        def __init__(self):
            super().__init__(1.0)
            built.append(self)

    class Legendrian(Radial):
        def __init__(self, constraint: Counted):
            super().__init__(constraint)

    tain.register("constraint", tain.Component("counted", Counted))
    tain.register("constraint", tain.Component("ring", Ring))
    tain.register("mirror-map", tain.Component("legendrian", Legendrian))
    tain.create("mirror-map", "legendrian", constraint={"name": "counted"})
    assert len(built) == 1
    with pytest.raises(ConfigurationError, match=r"is Ring\(radius=1.0\) \(Ring\), but must be a Counted"):
        tain.create("mirror-map", "legendrian", constraint={"name": "ring"})


def test_a_record_of_settings_is_bound_like_a_component():
    @attrs.frozen
    class Inner:
        steps: Annotated[int, Field("steps", at_least=1)] = 10

    @attrs.frozen
    class Outer:
        inner: Inner = Inner()
        table: dict[str, Any] = attrs.field(factory=dict)

    assert bind(Outer, {"inner": {"steps": 3}, "table": {"a": 1}}) == {"inner": Inner(3), "table": {"a": 1}}
    with pytest.raises(ConfigurationError, match=r"file.toml: 'inner': 'steps' is 0, but must be at least 1"):
        bind(Outer, {"inner": {"steps": 0}, "table": {}}, owner="file.toml")
    with pytest.raises(ConfigurationError, match=r"'inner': unknown key 'step'. Did you mean: steps"):
        bind(Outer, {"inner": {"step": 3}, "table": {}})


def test_unknown_and_missing_keys_are_named_with_what_to_do():
    class Needing(Configured):
        def __init__(self, size: Annotated[int, Field("number of entries")], width: float = 1.0):
            super().__init__()

    with pytest.raises(ConfigurationError, match=r"^Needing: unknown key 'wdith'. Did you mean: width\?$"):
        Needing(3, wdith=2)
    with pytest.raises(
        ConfigurationError, match=r"^Needing: 'size' \(number of entries\) is missing. Give it an int.$"
    ):
        Needing()
    with pytest.raises(ConfigurationError, match=r"^generator 'x': unknown key 'y'. Known: size, width.$"):
        bind(Needing, {"y": 1}, owner="generator 'x'")
    with pytest.raises(TypeError, match="too many positional"):
        Needing(1, 2, 3)
    with pytest.raises(TypeError, match="multiple values"):
        Needing(1, size=2)


def test_arguments_may_be_given_by_position_or_by_name():
    expected = {"size": 3, "width": 2.0, "key": "k"}

    class Mixed(Configured):
        def __init__(self, size: int, width: float = 1.0, *, key: str = "k"):
            super().__init__()
            self.seen = {"size": size, "width": width, "key": key}

    for made in (Mixed(3, 2), Mixed(3, width=2), Mixed(width=2, size=3)):
        assert configuration(made) == made.seen == expected
    with pytest.raises(TypeError):
        Mixed(3, 2, "k")


def test_a_constructor_that_cannot_be_recorded_is_refused():
    class Several(Configured):
        def __init__(self, *sizes: int):
            super().__init__()

    class Options(Configured):
        def __init__(self, **options: float):
            super().__init__()

    class Nameless(Configured):
        def __init__(self, size: int, /):
            super().__init__()

    for made, argument in ((Several, r"\*sizes: int"), (Options, r"\*\*options: float"), (Nameless, "size: int")):
        with pytest.raises(
            ConfigurationError, match=rf"{made.__name__}: the constructor takes '{argument}'.*Name every"
        ):
            made(1) if made is not Options else made(a=1)
        with pytest.raises(ConfigurationError):
            parameters(made)


class Base(Configured):
    def __init__(self, size: int = 1):
        super().__init__()
        self.size = size


def test_a_subclass_without_a_constructor_inherits_its_configuration():
    class Same(Base):
        pass

    assert configuration(Same(2)) == {"size": 2}
    assert [parameter.name for parameter in parameters(Same)] == ["size"]
    with pytest.raises(ConfigurationError, match=r"^Same: 'size'"):
        Same("a")


def test_a_chain_of_constructors_records_the_outermost_only():
    class Middle(Base):
        def __init__(self, size: int, width: float):
            super().__init__(size + 1)
            self.width = width

    class Outer(Middle):
        def __init__(self, depth: int = 3):
            super().__init__(depth, width=0.5)

    made = Outer()
    assert (made.size, made.width) == (4, 0.5)
    assert configuration(made) == {"depth": 3}
    assert configuration(Middle(1, 2)) == {"size": 1, "width": 2.0}


def test_forgetting_to_call_the_base_constructor_does_no_harm():
    class Forgetful(Configured):
        def __init__(self, size: int = 2):
            self.weight = nn.Parameter(torch.zeros(size))

    made = Forgetful()
    assert list(made.state_dict()) == ["weight"]
    assert configuration(made) == {"size": 2}


def test_a_parameter_assigned_before_the_base_constructor_is_kept():
    class Hasty(Configured):
        def __init__(self):
            self.weight = nn.Parameter(torch.zeros(2))
            super().__init__()

    assert list(Hasty().state_dict()) == ["weight"]


def test_another_module_may_be_a_second_base():
    class Both(Configured, nn.Linear):
        def __init__(self, size: int = 2):
            Configured.__init__(self)
            nn.Linear.__init__(self, size, 1)

    assert configuration(Both()) == {"size": 2}
    assert sorted(Both().state_dict()) == ["bias", "weight"]


def test_a_class_without_any_constructor_takes_nothing():
    class Plain(Configured):
        pass

    assert parameters(Plain) == ()
    assert configuration(Plain()) == {}
    with pytest.raises(ConfigurationError, match=r"^Plain: unknown key 'size'.$"):
        bind(Plain, {"size": 1})


def _module(name: str, source: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(source, name, "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module


def test_annotations_may_be_strings():
    module = _module(
        "with_future_annotations",
        "from __future__ import annotations\n"
        "from typing import Annotated\n"
        "import tain\n"
        "from tain.configured import Configured\n"
        "class Late(Configured):\n"
        "    def __init__(self, size: Annotated[float, tain.Field('size', above=0)] = 1, kind: int | None = None):\n"
        "        super().__init__()\n"
        "@tain.constraint('late', event_ndim=1)\n"
        "def late(x: object, total: float = 1):\n"
        "    return (x.sum(-1) - total).abs()\n",
    )
    assert configuration(module.Late(2)) == {"size": 2.0, "kind": None}
    with pytest.raises(ConfigurationError, match=r"'size' is -1.0, but must be above 0"):
        module.Late(-1)
    assert configuration(module.late) == {"total": 1.0}


def test_an_annotation_that_means_nothing_at_run_time_is_named():
    module = _module(
        "with_hidden_import",
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from tain.configured import Configured\n"
        "if TYPE_CHECKING:\n"
        "    from torch import Tensor\n"
        "class Hidden(Configured):\n"
        "    def __init__(self, matrix: Tensor):\n"
        "        super().__init__()\n",
    )
    with pytest.raises(ConfigurationError, match=r"Hidden: an annotation .*'Tensor' is not defined.*TYPE_CHECKING"):
        module.Hidden(torch.ones(2))


def test_the_record_survives_a_deep_copy_and_points_into_the_copy():
    ring = Ring(3)
    radial = Radial(ring)
    twin = copy.deepcopy(radial)
    assert configuration(twin)["constraint"] is twin.constraint
    assert twin.constraint is not ring
    assert configuration(twin.constraint) == {"radius": 3.0}


def test_the_record_does_not_change_with_the_weights():
    class Centred(Configured):
        def __init__(self, centre: Tensor, more: tuple[Tensor, ...] = ()):
            super().__init__()
            self.centre = nn.Parameter(centre)
            self.more = more

    made = Centred(torch.zeros(2), [torch.zeros(1)])
    with torch.no_grad():
        made.centre += 1
        made.more[0].add_(1)
    assert configuration(made)["centre"].tolist() == [0.0, 0.0]
    assert configuration(made)["more"][0].tolist() == [0.0]


def test_the_dictionary_handed_out_is_a_copy():
    made = Base(2)
    configuration(made)["size"] = 5
    assert configuration(made) == {"size": 2}


def test_parameters_tell_name_type_default_and_field():
    found = {parameter.name: parameter for parameter in parameters(Taking)}
    assert found["limited"].field == Field("a temperature", unit="K", above=0, at_most=1000)
    assert found["limited"].type_name == "float"
    assert found["either"].type_name == "float or list of float"
    assert found["inner"].type_name == "float or None"
    assert found["mode"].type_name == "'fast' or 'exact' or 3"
    assert found["anything"].type_name == "value"
    assert not found["limited"].required
    assert parameters(Radial)[0].required


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.lists(st.integers(-(2**53), 2**53)))
def test_converting_twice_changes_nothing(number, integers):
    once = bind(Taking, {"number": number, "many": integers, "either": integers})
    assert bind(Taking, once) == once
    assert once["many"] == tuple(map(float, integers))
