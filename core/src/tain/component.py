"""What plugins hand over: a record for each component that has a name in the catalogue. Imports no torch."""

import re
from typing import Any, Literal, get_args

import attrs

from tain.errors import ConfigurationError

__all__ = ["KINDS", "Component", "Kind"]

Kind = Literal["constraint", "mirror-map", "generator", "solver"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _check_name(record: "Component", attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ConfigurationError(
            f"A component's name is {value!r}, but must be lower-case words joined by hyphens, such as 'unit-flux'."
        )


def _check_target(record: "Component", attribute: Any, value: Any) -> None:
    if not isinstance(value, type):
        raise ConfigurationError(
            f"The component '{record.name}' is given an object of {type(value).__name__}, but must be given a class."
        )


@attrs.frozen
class Component:
    """A named component class, as a plugin's hook returns it.

    Attributes:
        name: how TOML files, checkpoints and the command line call it: lower case, words joined by hyphens.
        target: the class.
        summary: one line for listings.

    Raises:
        ConfigurationError: the name has other characters, or the target is no class.

    Example:
        >>> class Flux: ...
        >>> Component("flux", Flux, summary="fixed total flux").name
        'flux'
    """

    name: str = attrs.field(validator=_check_name)
    target: type[Any] = attrs.field(validator=_check_target)
    summary: str = attrs.field(default="", kw_only=True)
