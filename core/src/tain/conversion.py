"""Values checked against annotations: what a person wrote in Python, TOML or JSON becomes what a constructor takes.

Understood are plain Python annotations: bool, int, float, str, None, sequences (which become tuples), Literal, unions,
Annotated with a `Field`, tensors, and components or attrs records (which may be given as tables). Any other
annotation is checked with isinstance.
"""

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import attrs
import torch
from torch import Tensor, nn

from tain.errors import ConfigurationError, nearest
from tain.fields import MISSING, SEQUENCES, UNIONS, Field, described, shown, split_field

__all__ = ["convert"]


def convert(value: Any, annotation: Any, field: Field, place: str) -> Any:
    """`value` as the annotated type.

    Args:
        value: what a person gave.
        annotation: the type declared for it.
        field: its limits.
        place: how messages name it.

    Raises:
        ConfigurationError: it is of another type, or beyond a limit.
    """
    annotation, field = split_field(annotation, field)
    origin, arguments = get_origin(annotation), get_args(annotation)
    expected = origin or annotation
    if not _fits(value, annotation):
        raise _wrong_type(value, annotation, place)
    if origin in UNIONS:
        return _convert_to_any(value, arguments, field, place)
    if origin is Literal and value not in arguments:
        choices = ", ".join(map(repr, arguments))
        hint = nearest(str(value), map(str, arguments))
        raise ConfigurationError(f"{place} is {value!r}, but must be one of {choices}.{hint}")
    if expected in SEQUENCES:
        return _convert_entries(value, annotation, field, place)
    if annotation in _FROM_PLAIN:
        try:
            value = _FROM_PLAIN[annotation](value)
        except (TypeError, ValueError, OverflowError, RuntimeError):  # ragged lists, integers beyond any float
            raise _wrong_type(value, annotation, place) from None
    elif isinstance(value, Mapping) and _takes_table(expected):
        return _from_table(value, expected, place)
    _check_limits(value, field, place)
    return value


def _fits(value: Any, annotation: Any) -> bool:
    """Whether `value` can be meant for `annotation`, by its outermost type alone."""
    annotation, _ = split_field(annotation, Field(""))
    origin, arguments = get_origin(annotation), get_args(annotation)
    expected = origin or annotation
    if origin in UNIONS:
        return any(_fits(value, choice) for choice in arguments)
    if origin is Literal:
        return any(type(value) is type(choice) for choice in arguments)
    if isinstance(value, bool) and annotation in _FROM_PLAIN:
        return False  # bool is a subclass of int, but nobody means 1 by True
    if expected in SEQUENCES:
        return isinstance(value, list | tuple)
    if annotation is int:
        return isinstance(value, numbers.Integral)
    if annotation is float:
        return isinstance(value, numbers.Real)
    if annotation is Tensor:
        return isinstance(value, Tensor | list | tuple | numbers.Real)
    if annotation is None:
        return value is None
    if annotation in (Any, MISSING) or not isinstance(expected, type):
        return True
    return isinstance(value, expected) or (isinstance(value, Mapping) and _takes_table(expected))


def _takes_table(expected: Any) -> bool:
    return isinstance(expected, type) and (attrs.has(expected) or issubclass(expected, nn.Module))


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.get_default_dtype())


_FROM_PLAIN: Mapping[Any, Callable[[Any], Any]] = {int: int, float: float, Tensor: _as_tensor}


def _convert_to_any(value: Any, choices: tuple[Any, ...], field: Field, place: str) -> Any:
    reasons = []
    for choice in choices:
        if _fits(value, choice):
            try:
                return convert(value, choice, field, place)
            except ConfigurationError as reason:
                reasons.append(reason)
    raise reasons[0]


def _convert_entries(value: Any, annotation: Any, field: Field, place: str) -> tuple[Any, ...]:
    kinds = get_args(annotation) or (Any, ...)
    if get_origin(annotation) is not tuple or kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise ConfigurationError(f"{place} has {len(value)} entries, but must have {len(kinds)}.")
    pairs = enumerate(zip(value, kinds, strict=True))
    return tuple(convert(entry, kind, field, f"{place}[{index}]") for index, (entry, kind) in pairs)


def _from_table(table: Mapping[str, Any], expected: type, place: str) -> Any:
    from tain.catalogue import build_nested  # both need this module first
    from tain.configured import bind

    if attrs.has(expected):
        return expected(**bind(expected, table, place))
    built = build_nested(expected, table, place)
    if not isinstance(built, expected):
        raise _wrong_type(built, expected, place)
    return built


def _wrong_type(value: Any, annotation: Any, place: str) -> ConfigurationError:
    return ConfigurationError(
        f"{place} is {shown(value)} ({type(value).__name__}), but must be {described(annotation)}."
    )


def _check_limits(value: Any, field: Field, place: str) -> None:
    unit = f" {field.unit}" if field.unit else ""
    for number in _extremes(value):
        broken = "a number" if math.isnan(number) else field.broken_limit(number)
        if broken:
            verb = "has an entry" if isinstance(value, Tensor) else "is"
            raise ConfigurationError(f"{place} {verb} {number}{unit}, but must be {broken}{unit}.")


def _extremes(value: Any) -> Iterator[float]:
    """The numbers of a value that limits are checked for. A tensor with a NaN has NaN for its extremes."""
    if isinstance(value, Tensor):
        if value.numel() and not value.is_complex():
            yield from (extreme.item() for extreme in value.detach().double().aminmax())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
