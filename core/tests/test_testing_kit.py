"""The property-test kit: what passes, fails and is skipped, and what a failure tells."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import torch

import tain
import tain.testing
from tain.randomness import generator, uniform
from tain.testing import (
    CheckError,
    ConstraintTests,
    GeneratorTests,
    MirrorMapTests,
    NotApplicable,
    Profile,
    Subject,
    all_checks,
    checks_for,
    parametrize_checks,
    run_checks,
)
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain.testing.parametrize import CheckCase
from tain.testing.profiles import PROFILES, profile_of
from tain.testing.subjects import as_subject, expression

MODULES = sorted(f"tain.testing.{module.name}" for module in pkgutil.iter_modules(tain.testing.__path__))


class Cap(tain.Interior):
    """Vectors with no number above `most`."""

    event_ndim = 1

    def __init__(self, most: float = 1.0, size: int = 3):
        super().__init__()
        self.most = most
        self.event_shape = (size,)

    def distance(self, x):
        return (x - self.most).relu().sum(1)

    def interior(self, n, *, rng=None, dtype=None):
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        return self.most - 0.01 - uniform((n, *self.event_shape), generator(rng), example)


class Loose(Cap):
    """The distance is too small by 0.1, wherever the first number is above the last."""

    def distance(self, x):
        return super().distance(x) - 0.1 * (x[:, 0] > x[:, -1])


class Flux(tain.Constraint):
    """Images with a fixed sum; no point of the set is known beforehand."""

    event_ndim = 3

    def __init__(self, total: float = 1.0):
        super().__init__()
        self.total = total

    def distance(self, x):
        return (x.sum((1, 2, 3)) - self.total).abs()


@parametrize_checks(Cap(2.0), Gaussian((0.0,), (1.0,)), Identity(), profile="quick")
def test_a_decorated_function(subject, check):
    check(subject)


@parametrize_checks(Flux(2.0), event_shape=(1, 8, 8))
def test_a_constraint_that_is_known_through_its_distance_alone(subject, check):
    check(subject)


class TestCap(ConstraintTests):
    subject = Cap(2.0)


class TestIdentity(MirrorMapTests):
    subject = Identity()
    settings = {"event_shape": (2,)}  # noqa: RUF012 (as a user writes it)
    checks = ("inverse-undoes-forward", "monotone")


class TestGaussian(GeneratorTests):
    subject = Gaussian((0.0, 1.0), (1.0, 1.0))
    expected_failures = {  # noqa: RUF012 (as a user writes it)
        "log-prob-integrates-to-one": "to show that a skip stays a skip",
    }


def test_a_report_counts_and_names():
    report = run_checks(Loose(), profile="quick")
    assert "distance-is-not-negative" in report.failed
    assert report.skipped["projection-is-nearest"] == "Loose is not Projectable"
    assert "interior-is-inside" in report.passed
    lines = str(report).splitlines()
    counts = f"{len(report.passed)} passed, {len(report.skipped)} skipped, {len(report.failed)} failed"
    assert lines[0] == f"Loose: {counts}"
    assert (
        len(report.outcomes)
        == len(checks_for(Loose()))
        == sum(map(len, (report.passed, report.skipped, report.failed)))
    )
    assert all(outcome.seconds >= 0 for outcome in report.outcomes)
    with pytest.raises(CheckError, match="distance-is-not-negative fails for Loose"):
        report.require_success()
    run_checks(Cap(), profile="quick").require_success()


def test_a_failure_is_small_and_says_what_must_hold_what_was_found_and_how_to_see_it_again():
    message = run_checks(Loose(2.0), checks=["distance-is-not-negative"]).failed["distance-is-not-negative"]
    first, must, found, again = message.splitlines()
    assert first == "distance-is-not-negative fails for Loose in float32."
    assert must.split(maxsplit=2)[2] == "The distance is at least 0 everywhere."
    assert "minus the distance: row 0 has 0.1, but must be at most 0." in found
    assert "rows=1" in again
    line = again.partition("again:")[2].strip()
    report = eval(line, {"tain": tain, "torch": torch, "Loose": Loose})
    assert report.failed["distance-is-not-negative"] == message


def test_the_line_holds_the_settings_that_were_given():
    def corner(n, *, rng=None, dtype=None):
        return torch.full((n, 2, 1, 1), 5.0, dtype=dtype)

    subject = as_subject(Flux(2.0), event_shape=(2, 1, 1), points=corner)
    message = run_checks(subject, checks=["distance-is-zero-inside"]).failed["distance-is-zero-inside"]
    assert "run_checks(Flux(total=2.0), event_shape=(2, 1, 1), points=corner, checks=" in message
    report = eval(
        message.partition("again:")[2].strip(), {"tain": tain, "torch": torch, "Flux": Flux, "corner": corner}
    )
    assert report.failed["distance-is-zero-inside"] == message


def test_the_same_run_gives_the_same_result():
    first, second = (run_checks(Loose(), profile="quick") for _ in range(2))
    assert first.failed == second.failed


def test_an_error_inside_a_component_is_a_failure_with_its_cause():
    class Typo(Cap):
        def distance(self, x):
            return x.summ(1)

    message = run_checks(Typo(), checks=["distance-is-zero-inside"]).failed["distance-is-zero-inside"]
    assert "AttributeError: 'Tensor' object has no attribute 'summ'" in message


def test_results_that_differ_from_call_to_call_are_a_failure_all_the_same():
    class Moody(Cap):
        def distance(self, x):
            return super().distance(x) - float(torch.rand((), generator=torch.Generator().manual_seed(self.turn())))

        calls = 0

        def turn(self):
            self.calls += 1
            return self.calls

    assert (
        "fails for Moody" in run_checks(Moody(), checks=["distance-is-not-negative"]).failed["distance-is-not-negative"]
    )


def test_an_expected_failure_must_fail():
    reasons = {"distance-is-not-negative": "a known fault"}
    report = run_checks(Loose(), expected_failures=reasons, checks=["distance-is-not-negative"])
    assert report.expected == reasons
    assert not report.failed
    assert "1 failed as expected" in str(report)
    report = run_checks(Cap(), expected_failures=reasons, checks=["distance-is-not-negative"])
    assert "passes for Cap, but is expected to fail: a known fault" in report.failed["distance-is-not-negative"]
    case = CheckCase(checks_for(Cap(), ["distance-is-not-negative"])[0], "a known fault")
    with pytest.raises(CheckError, match="is expected to fail: a known fault"):
        case(Cap())
    with pytest.raises(pytest.xfail.Exception, match="a known fault"):
        case(Loose())


def test_a_component_may_declare_its_expected_failures_itself():
    class Known(Loose):
        testing = {"expected_failures": {"distance-is-not-negative": "a known fault"}}  # noqa: RUF012 (as a user writes it)

    assert run_checks(Known(), checks=["distance-is-not-negative"]).expected == Known.testing["expected_failures"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run_checks(Cap(), expected_failures={"monotone": " "}), "'monotone' has no reason"),
        (lambda: run_checks(Cap(), expected_failures={"monoton": "so"}), "no check 'monoton'. Did you mean: monotone"),
        (lambda: run_checks(Cap(), checks=["monotone"]), "no check 'monotone' of a Cap"),
        (lambda: run_checks(Cap(), profile="quik"), "no testing profile 'quik'. Did you mean: quick"),
        (lambda: run_checks(Cap(), evnt_shape=(2,)), "Cap: unknown setting 'evnt_shape'. Did you mean: event_shape"),
        (lambda: run_checks(Cap), "is no component. Give an object"),
        (lambda: parametrize_checks(), "nothing to test was given"),
        (
            lambda: type("T", (ConstraintTests,), {"subject": Identity()})()._subject(),
            "is a Identity, but must be a Con",
        ),
        (lambda: type("T", (ConstraintTests,), {})()._subject(), "T: has no 'subject'"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        call()


def test_a_component_declares_what_the_checks_need():
    class Declared(Cap):
        testing = {"event_shape": (2,), "round_trip": {torch.float32: 0.5}}  # noqa: RUF012 (as a user writes it)

    subject = as_subject(Declared(), dtypes=(torch.float64,))
    assert subject.event_shape == (2,)
    assert subject.round_trip == {torch.float32: 0.5, torch.float64: 1e-11}
    assert subject.dtypes == (torch.float64,)
    assert as_subject(Declared(), event_shape=(7,)).event_shape == (7,)
    again = as_subject(subject, event_shape=(5,))
    assert again.event_shape == (5,)
    assert again.given == {"dtypes": (torch.float64,), "event_shape": (5,)}
    assert subject.limit(torch.float32) == Declared().tolerance(torch.float32)
    assert Subject(Declared(), tolerance={torch.float32: 0.25}).limit(torch.float32) == 0.25


def test_profiles(monkeypatch):
    monkeypatch.delenv("TAIN_TESTING_PROFILE", raising=False)
    assert profile_of(None).name == "default"
    monkeypatch.setenv("TAIN_TESTING_PROFILE", "thorough")
    assert profile_of(None).examples > profile_of("default").examples > profile_of("quick").examples
    monkeypatch.setenv("TAIN_TESTING_PROFILE", "loud")
    with pytest.raises(tain.ConfigurationError, match="'loud' \\(from TAIN_TESTING_PROFILE\\)"):
        profile_of(None)
    monkeypatch.delenv("TAIN_TESTING_PROFILE")
    trials = []

    class Counting(Cap):
        def distance(self, x):
            trials.append(len(x))
            return super().distance(x)

    run_checks(Counting(), checks=["distance-is-zero-inside"], profile=Profile("three", 3))
    assert len(trials) == 6  # three of each dtype


def test_cases_are_named_after_the_component_and_the_check():
    mark = parametrize_checks(Cap(1.0), Cap(2.0), Flux(), checks=["distance-is-not-negative"])
    assert [case.id for case in mark.mark.args[1]] == [
        "Cap0-distance-is-not-negative",
        "Cap1-distance-is-not-negative",
        "Flux-distance-is-not-negative",
    ]


def test_expressions_build_the_same_again():
    record = tain.Blocks((Anything(), Cap(float("inf"), 2)), sizes=(1, 2))
    assert expression(record) == "Blocks(constraints=(Anything(), Cap(most=float('inf'), size=2)), sizes=(1, 2))"
    assert expression(torch.ones(1, dtype=torch.float64)) == "torch.tensor([1.0], dtype=torch.float64)"


def test_a_constraint_made_of_a_function_is_created_by_its_name():
    @tain.constraint("signed-sum", event_ndim=1)
    def signed_sum(x, total: float = 2.0):
        return x.sum(1) - total

    message = run_checks(signed_sum, checks=["distance-is-not-negative"]).failed["distance-is-not-negative"]
    assert "run_checks(tain.create('constraint', 'signed-sum', total=2.0), checks=" in message
    again = eval(message.partition("again:")[2].strip(), {"tain": tain, "torch": torch})
    assert again.failed["distance-is-not-negative"] == message


def test_a_check_says_what_it_demands_in_one_sentence():
    for check in all_checks():
        assert check.summary.endswith("."), check.name
        assert len(check.summary) <= 120, check.name
        assert check.kinds, check.name


def test_a_missing_capability_of_a_part_is_named():
    record = tain.Blocks((Anything(), Cap()), sizes=(1, 3))
    skipped = run_checks(record, checks=["interior-varies"], profile="quick").skipped
    assert skipped == {"interior-varies": "'constraints'[0], Anything is not Interior"}


def test_a_skip_is_an_ordinary_one_to_unittest_too():
    import unittest

    assert issubclass(NotApplicable, unittest.SkipTest)


def test_hypothesis_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(tain.ConfigurationError, match=r"pip install 'tain\[testing\]'"):
        run_checks(Cap(), checks=["distance-is-not-negative"])


@pytest.mark.parametrize("name", ["tain.testing", *MODULES])
def test_modules_teach_and_their_examples_hold(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert isinstance(module.__all__, list)
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{name}.{public}"
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
    assert len(inspect.getsource(module).splitlines()) <= 200


def test_public_names():
    assert dir(tain.testing) == tain.testing.__all__
    for name in tain.testing.__all__:
        assert inspect.getdoc(getattr(tain.testing, name))
    with pytest.raises(AttributeError, match="has no attribute 'check_all'"):
        _ = tain.testing.check_all


def test_what_pytest_always_imports_is_light():
    script = (
        "import sys; sys.modules['hypothesis'] = None; import tain.testing.pytest_plugin; "
        "print(sorted({'torch', 'numpy', 'attrs'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def row_of_the_reference(check):
    """The line of docs/reference/testing.md that tells of a check."""
    kinds = " or ".join(kind.__name__ for kind in check.kinds) if len(check.kinds) < 4 else "any"
    needs = kinds if check.capability is tain.Configured else check.capability.__name__
    return f"| `{check.name}` | {needs} | {check.summary} |"


def test_the_reference_lists_every_check_setting_and_profile():
    lines = (Path(__file__).parents[2] / "docs" / "reference" / "testing.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    for check in all_checks():
        assert row_of_the_reference(check) in rows
    listed = {row.split("`")[1] for row in rows}
    settings = {field.name for field in attrs.fields(Subject)} - {"component", "given"}
    assert settings <= listed
    for name, profile in PROFILES.items():
        assert f"| `{name}` | {profile.examples} |" in rows
    assert len(rows) >= len(all_checks()) + len(settings) + len(PROFILES)
