"""Making one check of one subject: on random trials, of which a failing one is made small before it is shown."""

import random
from collections.abc import Sequence
from typing import Any

import attrs
import torch

from tain.capabilities import lacking
from tain.errors import ConfigurationError
from tain.testing.checks import Check
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.profiles import Profile
from tain.testing.subjects import Subject, expression
from tain.testing.trials import Trial

__all__ = ["run_check"]

_LARGEST_SEED, _MOST_ROWS = 9999, 5


@attrs.define
class _Trials:
    """The trials of one check in one dtype: which were made, and which failed last."""

    check: Check
    subject: Subject
    dtype: torch.dtype
    passed: int = 0
    reason: str = ""
    failed: tuple[Trial, Exception] | None = None

    def attempt(self, seed: int, rows: int) -> None:
        trial = Trial(self.subject, seed, rows, self.dtype)
        try:
            self.check.function(trial.component(), trial)
        except NotApplicable as reason:
            self.reason = str(reason)
        except Exception as cause:
            self.failed = (trial, cause)
            raise
        else:
            self.passed += 1


def run_check(
    check: Check,
    subject: Subject,
    profile: Profile,
    *,
    seed: int | None = None,
    rows: int | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Make one check of a subject, on random trials or on the one of the given seed.

    Raises:
        CheckError: names the check, the component, the worst row, and the line that makes it fail again.
        NotApplicable: the subject lacks a capability, or no trial could be made; the message says which.
    """
    if missing := lacking(subject.component, check.capability):
        raise NotApplicable(f"{missing} is not {check.capability.__name__}")
    done = []
    for each in subject.dtypes if dtype is None else (dtype,):
        trials = _Trials(check, subject, each)
        done.append(trials)
        try:
            if seed is not None or check.once:
                trials.attempt(seed or 0, rows or _MOST_ROWS)
            else:
                _search(trials, profile, rows)
        except Exception as error:
            if trials.failed is None:
                raise
            raise _explained(check, *trials.failed) from (
                None if isinstance(trials.failed[1], CheckError) else error.with_traceback(None)
            )
    if not any(trials.passed for trials in done):
        raise NotApplicable(done[-1].reason)


def _search(trials: _Trials, profile: Profile, rows: int | None) -> None:
    """Try random seeds and numbers of rows, the same in every run; a failing pair shrinks to a small one."""
    if not profile.shrink:  # then hypothesis would only take time
        draws = random.Random(0)
        for _ in range(profile.examples):
            trials.attempt(draws.randint(0, _LARGEST_SEED), rows or draws.randint(1, _MOST_ROWS))
        return
    given, settings, st, HealthCheck, Phase, Verbosity = _hypothesis()

    @settings(
        max_examples=profile.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    # Drawn first, the number of rows is made small first.
    @given(rows=st.integers(1, _MOST_ROWS) if rows is None else st.just(rows), seed=st.integers(0, _LARGEST_SEED))
    def search(rows: int, seed: int) -> None:
        trials.attempt(seed, rows)

    search()


def _hypothesis() -> Sequence[Any]:
    try:
        from hypothesis import HealthCheck, Phase, Verbosity, given, settings, strategies
    except ImportError as cause:
        raise ConfigurationError("tain.testing needs hypothesis. Run: pip install 'tain[testing]'") from cause
    return given, settings, strategies, HealthCheck, Phase, Verbosity


def _explained(check: Check, trial: Trial, cause: Exception) -> CheckError:
    """A failure in full: what must hold, what was found, and how to see it again."""
    found = str(cause) if isinstance(cause, CheckError) else f"{type(cause).__name__}: {cause}"
    return CheckError(
        f"{check.name} fails for {trial.subject.name} in {_short(trial.dtype)}.\n"
        f"  must hold: {check.summary}\n"
        f"  found:     {found}\n"
        f"  again:     {_line(check, trial)}"
    )


def _line(check: Check, trial: Trial) -> str:
    """One line of Python that makes just this trial again."""
    settings = "".join(f", {key}={expression(value)}" for key, value in trial.subject.given.items())
    return (
        f'tain.testing.run_checks({expression(trial.subject.component)}{settings}, checks=["{check.name}"], '
        f"seed={trial.seed}, rows={trial.rows}, dtype={trial.dtype})"
    )


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
