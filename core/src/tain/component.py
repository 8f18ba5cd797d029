"""What plugins hand over: a record for each component that has a name in the catalogue. Imports no torch."""

from typing import Any, Literal, get_args

import attrs

__all__ = ["KINDS", "Component", "Kind"]

Kind = Literal["constraint", "mirror-map", "generator", "solver"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@attrs.frozen
class Component:
    """A named component class, as a plugin's hook returns it.

    Attributes:
        name: how TOML files, checkpoints and the command line call it: lower case, words joined by hyphens.
        target: the class.
        summary: one line for listings.

    Example:
        >>> class Flux: ...
        >>> Component("flux", Flux, summary="fixed total flux").name
        'flux'
    """

    name: str = attrs.field(validator=attrs.validators.matches_re(r"[a-z0-9]+(-[a-z0-9]+)*"))
    target: type[Any] = attrs.field(validator=attrs.validators.instance_of(type))
    summary: str = attrs.field(default="", kw_only=True)
