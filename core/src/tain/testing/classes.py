"""Base classes for tests, for those who prefer a class to a decorator."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tain.configured import Configured
from tain.constraints import Constraint
from tain.errors import ConfigurationError
from tain.generators import Generator
from tain.mirror_maps import MirrorMap
from tain.solvers import Solver
from tain.testing.parametrize import CheckCase, cases
from tain.testing.subjects import Subject, as_subject

__all__ = ["ComponentTests", "ConstraintTests", "GeneratorTests", "MirrorMapTests", "SolverTests"]


class ComponentTests:
    """Tests a component by all checks of its kind. Inherit, and name the component in `subject`.

    Attributes:
        subject: the component, or a `Subject` record of it.
        expected_failures: for each check that must fail, why.
        checks: names of the checks to make, by default all.
        settings: what the checks need to know of the component: the attributes of `Subject`.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> class TestSumOne(ConstraintTests):
        ...     subject = sum_one
    """

    subject: Any
    expected_failures: ClassVar[Mapping[str, str]] = {}
    checks: ClassVar[Iterable[str] | None] = None
    settings: ClassVar[Mapping[str, Any]] = {}
    _kind: ClassVar[type[Configured]] = Configured

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Have pytest make a case of each check."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize(("made", "check"), list(cases([self._subject()], self.checks, self.expected_failures)))

    def test_check(self, made: Subject, check: CheckCase) -> None:
        """One check of the subject."""
        check(made)

    def _subject(self) -> Subject:
        if not hasattr(self, "subject"):
            raise ConfigurationError(f"{type(self).__name__}: has no 'subject'. Name the component that it tests.")
        made = as_subject(self.subject, **self.settings)
        if not isinstance(made.component, self._kind):
            raise ConfigurationError(
                f"{type(self).__name__}: 'subject' is a {made.name}, but must be a {self._kind.__name__}."
            )
        return made


class ConstraintTests(ComponentTests):
    """Tests a constraint."""

    _kind = Constraint


class MirrorMapTests(ComponentTests):
    """Tests a mirror map."""

    _kind = MirrorMap


class GeneratorTests(ComponentTests):
    """Tests a generator."""

    _kind = Generator


class SolverTests(ComponentTests):
    """Tests a solver."""

    _kind = Solver
