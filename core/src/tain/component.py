"""What plugins hand over: a record for each component that has a name in the catalogue. Imports no torch."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import attrs

from tain.errors import ConfigurationError

__all__ = ["KINDS", "Component", "Kind"]

Kind = Literal["constraint", "mirror-map", "generator", "solver"]
"""What a component is: each kind has an abstract class, and a hook that provides it."""

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


def _check_examples(record: "Component", attribute: Any, value: Any) -> None:
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"The component '{record.name}' is given examples of {type(value).__name__}, but must be given a function "
            "that returns them, so that listing plugins builds nothing."
        )


@attrs.frozen
class Component:
    """A named component class, as a plugin's hook returns it.

    Attributes:
        name: how TOML files, checkpoints and the command line call it: lower case, words joined by hyphens.
        target: the class.
        summary: one line for listings.
        examples: a function that gives small instances (or `tain.testing.Subject` records of them), by which
            `pytest --tain-conformance` tests the component. Needed only if the constructor takes what has no default.

    Raises:
        ConfigurationError: the name has other characters, the target is no class, or the examples are no function.

    Example:
        >>> class Flux: ...
        >>> Component("flux", Flux, summary="fixed total flux").name
        'flux'
    """

    name: str = attrs.field(validator=_check_name)
    target: type[Any] = attrs.field(validator=_check_target)
    summary: str = attrs.field(default="", kw_only=True)
    examples: Callable[[], Iterable[Any]] | None = attrs.field(
        default=None, kw_only=True, validator=_check_examples, repr=False
    )
