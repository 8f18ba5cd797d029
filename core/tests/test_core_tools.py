"""The small tools: writing whole files, strict JSON, explicit randomness, records of problems, hints in errors."""

import json
import math
import os

import attrs
import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain import randomness, strict_json
from tain.atomic import write_bytes, write_text
from tain.errors import nearest, one_line

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(plain)
def test_strict_json_brings_back_every_plain_value(value):
    def refuse(token):
        pytest.fail(f"{token} is no JSON")

    text = strict_json.dumps(value)
    json.loads(text, parse_constant=refuse)
    assert strict_json.loads(text) == value


def test_strict_json_writes_nan_and_refuses_the_words_of_others():
    assert math.isnan(strict_json.loads(strict_json.dumps([math.nan]))[0])
    for token in ("NaN", "Infinity", "-Infinity", '[{"a": NaN}]'):
        with pytest.raises(ValueError, match="is no JSON"):
            strict_json.loads(token)
    with pytest.raises(TypeError):
        strict_json.dumps({"a": {1}})


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"

    def fail(*arguments):
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(KeyboardInterrupt):
                write_bytes(path, b"newer")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "none" / "file", b"")


def test_a_source_of_randomness_leaves_the_global_one_alone():
    before = torch.random.get_rng_state()
    like = torch.zeros(1, dtype=torch.float64)
    given_one = torch.Generator().manual_seed(3)
    assert randomness.generator(given_one) is given_one
    for draw in (randomness.standard_normal, randomness.uniform):
        one, same, other = (draw((5,), randomness.generator(seed), like) for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
        assert one.dtype is torch.float64
        assert not torch.equal(*(draw((5,), randomness.generator(), like) for _ in range(2)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_problems_are_frozen_records():
    problem = tain.Fit(data=torch.zeros(1, 2), model=None)
    assert (problem.against, problem.budgets) == ((), ())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        problem.data = None
    for kind in (tain.Fit, tain.Posterior, tain.Target):
        assert issubclass(kind, tain.Problem)
    first, second = tain.Solution(1), tain.Solution(1)
    assert first.message == ""
    assert first.statistics is not second.statistics


def test_a_solver_is_a_component_like_any_other():
    class Guess(tain.Solver):
        accepts = tain.Target

        def __init__(self, value: float = 0.0):
            super().__init__()
            self.value = value

        def solve(self, problem, *, rng=None, callback=None):
            return tain.Solution(result=self.value)

    tain.register("solver", tain.Component("guess", Guess))
    assert tain.create("solver", "guess", value=2).solve(None).result == 2.0


def test_hints_name_the_near_or_the_few():
    assert nearest("simplx", ["simplex", "box"]) == " Did you mean: simplex?"
    assert nearest("q", ["simplex", "box"]) == " Known: box, simplex."
    assert nearest("q", []) == ""
    assert nearest("q", map(str, range(100, 140))).endswith(", 109 and 30 more.")


def test_long_text_is_cut_to_a_line():
    assert one_line("a\n  b") == "a b"
    assert one_line("x" * 200, 10) == "xxxxxxx..."
