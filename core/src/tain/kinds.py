"""The abstract class of each kind, and what the host demands of the objects that a plugin hands over."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from tain.component import Component, Kind
from tain.configured import Configured
from tain.constraints import Constraint
from tain.errors import ConfigurationError, one_line
from tain.generators import Generator
from tain.mirror_maps import MirrorMap
from tain.solvers import Solver

__all__ = ["base_of", "kind_of", "require_components", "require_kind", "require_offers"]

_BASES: Mapping[Kind, type[Configured]] = {
    "constraint": Constraint,
    "mirror-map": MirrorMap,
    "generator": Generator,
    "solver": Solver,
}


def base_of(kind: Kind) -> type[Configured]:
    """The abstract class of a kind.

    >>> base_of("constraint").__name__
    'Constraint'
    """
    return _BASES[kind]


def kind_of(component: type) -> Kind | None:
    """The kind of a class, None if it is of none."""
    return next((kind for kind, base in _BASES.items() if issubclass(component, base)), None)


def require_kind(kind: Kind, component: Component) -> None:
    """Refuse a component whose class is of another kind, or cannot be built.

    Raises:
        ConfigurationError: names the component and the fault.
    """
    target, base = component.target, base_of(kind)
    if not issubclass(target, base):
        raise ConfigurationError(
            f"{target.__name__} cannot be the {kind} '{component.name}': it is no {base.__name__}."
        )
    if inspect.isabstract(target):
        lacking = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        raise ConfigurationError(f"{target.__name__} cannot be the {kind} '{component.name}': it lacks {lacking}.")


def require_components(kind: Kind, records: Sequence[Any]) -> None:
    """Refuse what is no record of components of that kind, each with a name of its own."""
    seen = set()
    for record in records:
        if not isinstance(record, Component):
            raise TypeError(f"gave {one_line(repr(record))} instead of a tain.Component record")
        require_kind(kind, record)
        if record.name in seen:
            raise ValueError(f"gave two components the name '{record.name}'")
        seen.add(record.name)


def require_offers(constraint: Constraint, mirrors: Sequence[Any]) -> None:
    """Refuse what is no mirror map, or one of another constraint: its samples might keep another rule than asked."""
    for mirror in mirrors:
        if not isinstance(mirror, MirrorMap):
            raise TypeError(f"offered {one_line(repr(mirror))} instead of a MirrorMap")
        if mirror.constraint is not constraint:
            raise ValueError(
                f"offered a {type(mirror).__name__} whose constraint is not the very object that it was asked about"
            )
