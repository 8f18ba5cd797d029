"""The list of checks, and the decorator that adds to it."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import attrs

from tain.configured import Configured
from tain.constraints import Constraint
from tain.errors import ConfigurationError, nearest
from tain.generators import Generator
from tain.mirror_maps import MirrorMap
from tain.solvers import Solver

__all__ = ["KINDS", "WITH_ROWS", "Check", "all_checks", "check", "checks_for"]

_MODULES = (
    "batch_checks",
    "purity_checks",
    "finite_checks",
    "copy_checks",
    "constraint_checks",
    "projection_checks",
    "interior_checks",
    "mirror_map_checks",
    "learned_checks",
    "legendre_checks",
    "hessian_checks",
    "generator_checks",
    "density_checks",
    "solver_checks",
)
KINDS: tuple[type[Configured], ...] = (Constraint, MirrorMap, Generator, Solver)
WITH_ROWS: tuple[type[Configured], ...] = (Constraint, MirrorMap, Generator)
"""The kinds whose methods give each row a result of its own."""

_FOUND: dict[str, "Check"] = {}


@attrs.frozen
class Check:
    """One property that components must have.

    Attributes:
        name: lower-case words joined by hyphens.
        capability: the class that a component must have for the check to be made; `Configured` for all.
        function: called with the component and a `Trial`; raises `CheckError` or `NotApplicable`.
        kinds: the abstract classes of the components that the check is about.
        once: whether one trial of each dtype is enough, since more would take long or tell no more.
    """

    name: str
    capability: type[Configured]
    function: Callable[[Any, Any], None]
    kinds: tuple[type[Configured], ...]
    once: bool = False

    @property
    def summary(self) -> str:
        """What it demands, in a sentence."""
        return " ".join((self.function.__doc__ or "").partition("\n\n")[0].split())


def check(*of: type[Configured], once: bool = False) -> Callable[[Any], Any]:
    """Add a function of a component and a trial to the list of checks, under its own name with hyphens.

    Its docstring is the sentence that a user reads when it fails.

    Args:
        of: the capability that the check is about, or several kinds of components.
        once: whether one trial of each dtype is enough.
    """
    capability = of[0] if len(of) == 1 else Configured
    kinds = of if len(of) > 1 else tuple(kind for kind in KINDS if issubclass(capability, kind))

    def add(function: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        name = function.__name__.replace("_", "-")
        _FOUND[name] = Check(name, capability, function, kinds, once)
        return function

    return add


def all_checks() -> tuple[Check, ...]:
    """Every check, in the order in which they are made.

    >>> [check.name for check in all_checks()][:2]
    ['shapes-and-dtypes', 'one-row-alone']
    """
    for module in _MODULES:
        import_module(f"tain.testing.{module}")
    return tuple(_FOUND.values())


def checks_for(component: Configured, names: Any = None) -> tuple[Check, ...]:
    """The checks of a component's kind, of whatever capability; only those of the given names, if any.

    Raises:
        ConfigurationError: there is no check of such a name.
    """
    known = {check.name: check for check in all_checks() if isinstance(component, check.kinds)}
    for name in names or ():
        if name not in known:
            raise ConfigurationError(
                f"There is no check '{name}' of a {type(component).__name__}.{nearest(name, known)}"
            )
    return tuple(known[name] for name in names) if names is not None else tuple(known.values())
