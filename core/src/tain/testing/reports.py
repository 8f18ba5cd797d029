"""All checks of one component, and a report of them."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs
import torch

from tain.configured import Configured
from tain.errors import ConfigurationError, nearest
from tain.testing.checks import Check, all_checks, checks_for
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.profiles import Profile, profile_of
from tain.testing.runner import run_check
from tain.testing.subjects import Subject, as_subject

__all__ = ["Outcome", "Report", "require_expected_failures", "run_checks"]


@attrs.frozen
class Outcome:
    """How one check ended.

    Attributes:
        check: its name.
        status: `passed`, `skipped`, `failed`, or `expected` for a failure that was declared.
        message: why it was skipped, failed, or was expected to; empty if it passed.
        seconds: how long it took.
    """

    check: str
    status: Literal["passed", "skipped", "failed", "expected"]
    message: str = ""
    seconds: float = 0.0


@attrs.frozen
class Report:
    """How all checks of one component ended. Printing it shows a table.

    Attributes:
        subject: the name of the component.
        outcomes: one of each check, in the order in which they were made.
    """

    subject: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> tuple[str, ...]:
        """The names of the checks that passed."""
        return tuple(outcome.check for outcome in self.outcomes if outcome.status == "passed")

    @property
    def skipped(self) -> dict[str, str]:
        """The reason of each check that was skipped, by its name."""
        return self._messages("skipped")

    @property
    def failed(self) -> dict[str, str]:
        """The message of each check that failed, by its name."""
        return self._messages("failed")

    @property
    def expected(self) -> dict[str, str]:
        """The declared reason of each check that failed as expected, by its name."""
        return self._messages("expected")

    def require_success(self) -> None:
        """Refuse failures.

        Raises:
            CheckError: a check failed; the message holds all failures.
        """
        if self.failed:
            raise CheckError("\n".join(self.failed.values()))

    def __str__(self) -> str:
        width = max((len(outcome.check) for outcome in self.outcomes), default=0)
        lines = [f"{o.check:{width}}  {o.status:8}  {o.message}".rstrip() for o in self.outcomes]
        counts = f"{len(self.passed)} passed, {len(self.skipped)} skipped, {len(self.failed)} failed"
        expected = f", {len(self.expected)} failed as expected" if self.expected else ""
        return "\n".join([f"{self.subject}: {counts}{expected}", *lines])

    def _messages(self, status: str) -> dict[str, str]:
        return {outcome.check: outcome.message for outcome in self.outcomes if outcome.status == status}


def run_checks(
    subject: Subject | Configured,
    *,
    checks: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    profile: Profile | str | None = None,
    seed: int | None = None,
    rows: int | None = None,
    dtype: torch.dtype | None = None,
    **settings: Any,
) -> Report:
    """Make all checks of a component, as in a notebook. Nothing is raised for a failure: print the report.

    Args:
        subject: a component, or a `Subject` that holds one.
        checks: names of the checks to make, by default all that there are for components of its kind.
        expected_failures: for each check that must fail, why; passing it is a failure then.
        profile: `quick`, `default` or `thorough`; by default that of the variable TAIN_TESTING_PROFILE.
        seed, rows, dtype: make one trial only, the one that the message of a failure tells.
        settings: what the checks need to know of the component: the attributes of `Subject`.

    Raises:
        ConfigurationError: there is no such check, setting or profile, or a reason is empty.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> report = run_checks(sum_one, checks=["distance-is-not-negative", "projection-is-nearest"])
        >>> print(report)
        SumOne: 1 passed, 1 skipped, 0 failed
        distance-is-not-negative  passed
        projection-is-nearest     skipped   SumOne is not Projectable
    """
    made, chosen = as_subject(subject, **settings), profile_of(profile)
    reasons = require_expected_failures({**made.expected_failures, **(expected_failures or {})})
    outcomes = []
    for check in checks_for(made.component, checks):
        start = time.perf_counter()
        status, message = _ended(check, made, chosen, reasons.get(check.name), seed=seed, rows=rows, dtype=dtype)
        outcomes.append(Outcome(check.name, status, message, time.perf_counter() - start))
    return Report(made.name, tuple(outcomes))


def require_expected_failures(given: Mapping[str, str] | None) -> dict[str, str]:
    """The reasons of expected failures, by check.

    Raises:
        ConfigurationError: there is no such check, or no reason is given.
    """
    known = [check.name for check in all_checks()]
    for name, reason in (given or {}).items():
        if name not in known:
            raise ConfigurationError(f"expected_failures: there is no check '{name}'.{nearest(name, known)}")
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigurationError(f"expected_failures: '{name}' has no reason. Say why it must fail.")
    return dict(given or {})


def _ended(
    check: Check, subject: Subject, profile: Profile, reason: str | None, **trial: Any
) -> tuple[Literal["passed", "skipped", "failed", "expected"], str]:
    try:
        run_check(check, subject, profile, **trial)
    except NotApplicable as missing:
        return "skipped", str(missing)
    except CheckError as failure:
        return ("failed", str(failure)) if reason is None else ("expected", reason)
    if reason is None:
        return "passed", ""
    return "failed", f"{check.name} passes for {subject.name}, but is expected to fail: {reason}. Take it off the list."
