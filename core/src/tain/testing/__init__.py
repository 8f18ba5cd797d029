"""Property tests of components: one line tells a new constraint, mirror map, generator or solver where it is wrong.

    from tain.testing import parametrize_checks

    @parametrize_checks(Flux(total=2.0), event_shape=(1, 8, 8))
    def test_flux(subject, check):
        check(subject)

`run_checks` gives a report in a notebook, `ConstraintTests` and its siblings are classes to inherit, `pytest
--tain-conformance` tests all that is installed, and `tain.testing.strategies` has the hypothesis strategies.

Names are loaded when first used. Install with: pip install "tain[testing]"
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain.testing.checks import (
        Check as Check,
        all_checks as all_checks,
        checks_for as checks_for,
    )
    from tain.testing.classes import (
        ComponentTests as ComponentTests,
        ConstraintTests as ConstraintTests,
        GeneratorTests as GeneratorTests,
        MirrorMapTests as MirrorMapTests,
        SolverTests as SolverTests,
    )
    from tain.testing.outcome import (
        CheckError as CheckError,
        NotApplicable as NotApplicable,
    )
    from tain.testing.parametrize import (
        parametrize_checks as parametrize_checks,
    )
    from tain.testing.profiles import (
        Profile as Profile,
    )
    from tain.testing.reports import (
        Outcome as Outcome,
        Report as Report,
        run_checks as run_checks,
    )
    from tain.testing.subjects import (
        Subject as Subject,
    )

_HOME = {
    "checks": "Check all_checks checks_for",
    "classes": "ComponentTests ConstraintTests GeneratorTests MirrorMapTests SolverTests",
    "outcome": "CheckError NotApplicable",
    "parametrize": "parametrize_checks",
    "profiles": "Profile",
    "reports": "Outcome Report run_checks",
    "subjects": "Subject",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain.testing' has no attribute '{name}'")
    value = getattr(import_module(f"tain.testing.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
