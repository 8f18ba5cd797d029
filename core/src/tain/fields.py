"""What a constructor argument is, for people: its meaning, unit and limits, and its type and value in words."""

import collections.abc
import inspect
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from torch import Tensor

from tain.errors import one_line

__all__ = ["MISSING", "SEQUENCES", "UNIONS", "Field", "described", "shown", "split_field", "type_name"]

MISSING = inspect.Parameter.empty
UNIONS = (Union, types.UnionType)
SEQUENCES = (tuple, list, collections.abc.Sequence)


@attrs.frozen
class Field:
    """What a constructor argument means and which numbers it may take.

    Args:
        help: one line on the meaning.
        unit: physical unit, empty if none.
        above, at_least, below, at_most: limits on a number, or on every number of a tuple or tensor.
    """

    help: str
    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def broken_limit(self, value: float) -> str | None:
        """The limit that `value` breaks, in words, or None."""
        limits: tuple[tuple[float | None, Callable[[float, float], bool], str], ...] = (
            (self.above, lambda v, limit: v > limit, "above"),
            (self.at_least, lambda v, limit: v >= limit, "at least"),
            (self.below, lambda v, limit: v < limit, "below"),
            (self.at_most, lambda v, limit: v <= limit, "at most"),
        )
        for limit, holds, words in limits:
            if limit is not None and not holds(value, limit):
                return f"{words} {limit:g}"
        return None


def split_field(annotation: Any, field: Field) -> tuple[Any, Field]:
    """The bare annotation, and the `Field` that it is annotated with, else the one given."""
    if get_origin(annotation) is not Annotated:
        return annotation, field
    bare, *notes = get_args(annotation)
    return bare, next((note for note in notes if isinstance(note, Field)), field)


def type_name(annotation: Any) -> str:
    """The type as a reader would write it.

    >>> type_name(tuple[float, ...] | None)
    'list of float or None'
    """
    annotation, _ = split_field(annotation, Field(""))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (MISSING, Any):
        return "value"
    if annotation in (None, type(None)):
        return "None"
    if origin in UNIONS:
        return " or ".join(map(type_name, arguments))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin in SEQUENCES and arguments and (origin is not tuple or arguments[-1] is Ellipsis):
        return f"list of {type_name(arguments[0])}"
    return str(getattr(annotation, "__name__", annotation))


def described(annotation: Any) -> str:
    """The type within a sentence.

    >>> described(int)
    'an int'
    """
    name = type_name(annotation)
    if not name[0].isalpha() or name == "None":
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def shown(value: Any) -> str:
    """A value within a sentence, on one line and not too long.

    >>> import torch
    >>> shown(torch.zeros(2, 3))
    'tensor(2, 3)'
    """
    return f"tensor{tuple(value.shape)}" if isinstance(value, Tensor) else one_line(repr(value))
