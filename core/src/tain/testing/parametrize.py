"""One decorator that tests a component, or several, by all checks: a pytest case for each."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import pytest

from tain.configured import Configured
from tain.errors import ConfigurationError
from tain.testing.checks import Check, checks_for
from tain.testing.outcome import CheckError
from tain.testing.profiles import Profile, profile_of
from tain.testing.reports import require_expected_failures, run_checks
from tain.testing.subjects import Subject, as_subject

__all__ = ["CheckCase", "cases", "parametrize_checks"]


@attrs.frozen
class CheckCase:
    """A check as a pytest case: call it with the subject.

    Attributes:
        check: what is checked.
        reason: why it is expected to fail, if it is.
        profile: how thoroughly.
    """

    check: Check
    reason: str | None = None
    profile: Profile | None = None

    def __call__(self, subject: Subject | Configured) -> None:
        """Make the check; what cannot be checked is skipped, what fails as expected is an expected failure.

        Raises:
            CheckError: the component fails, or passes what it is expected to fail.
        """
        __tracebackhide__ = True
        expected = {} if self.reason is None else {self.check.name: self.reason}
        report = run_checks(subject, checks=[self.check.name], expected_failures=expected, profile=self.profile)
        (outcome,) = report.outcomes
        if outcome.status == "skipped":
            pytest.skip(outcome.message)
        if outcome.status == "expected":
            pytest.xfail(outcome.message)
        if outcome.status == "failed":
            raise CheckError(outcome.message)


def parametrize_checks(
    *subjects: Subject | Configured,
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    profile: Profile | str | None = None,
    **settings: Any,
) -> pytest.MarkDecorator:
    """Test components by all checks of their kind: one pytest case for each component and check.

    Decorates a function of `subject` and `check` that calls `check(subject)`.

    Args:
        subjects: components, or `Subject` records of them.
        checks: names of the checks to make, by default all.
        expected_failures: for each check that must fail, why; passing it is a failure then.
        profile: `quick`, `default` or `thorough`; by default that of the variable TAIN_TESTING_PROFILE.
        settings: what the checks need to know of these components: the attributes of `Subject`, such as event_shape.

    Raises:
        ConfigurationError: no subject, one that is no component, or no such check, setting or profile.

    Example:
        >>> import tain
        >>> @tain.constraint("unit-flux", event_ndim=3)
        ... def unit_flux(x):
        ...     return (x.sum((1, 2, 3)) - 1).abs()
        >>> @parametrize_checks(unit_flux, event_shape=(1, 8, 8))
        ... def test_unit_flux(subject, check):
        ...     check(subject)
    """
    if not subjects:
        raise ConfigurationError("parametrize_checks: nothing to test was given. Give an object, such as Simplex(3).")
    made = [as_subject(subject, **settings) for subject in subjects]
    found = list(cases(made, checks, expected_failures, profile))
    return pytest.mark.parametrize(("subject", "check"), found)


def cases(
    subjects: Iterable[Subject],
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    profile: Profile | str | None = None,
    names: Iterable[str] | None = None,
) -> Iterator[Any]:
    """A pytest parameter for each subject and check, named after both; subjects of one class are numbered."""
    subjects, checks = list(subjects), None if checks is None else list(checks)
    reasons, chosen = require_expected_failures(expected_failures), None if profile is None else profile_of(profile)
    known = list(names or _numbered([subject.name for subject in subjects]))
    for subject, name in zip(subjects, known, strict=True):
        for check in checks_for(subject.component, checks):
            case = CheckCase(check, reasons.get(check.name), chosen)
            yield pytest.param(subject, case, id=f"{name}-{check.name}")


def _numbered(names: list[str]) -> Iterator[str]:
    for index, name in enumerate(names):
        yield f"{name}{names[:index].count(name)}" if names.count(name) > 1 else name
