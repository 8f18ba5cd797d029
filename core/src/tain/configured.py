"""Configuration, declared once: what a component's constructor takes *is* its configuration.

A component class writes an ordinary constructor with annotations. From it come the checks of every value, the page
that `tain show NAME` prints, what a TOML file may say, and what a checkpoint records:

    class Ball(Constraint):
        def __init__(self, radius: Annotated[float, Field("radius of the ball", above=0)] = 1.0): ...

Values are plain (bool, int, float, str, None, tuples of them, tensors) or other components.
"""

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union

import attrs
import torch
from torch import Tensor, nn

from tain.errors import ConfigurationError, nearest

__all__ = ["Configured", "Field", "Parameter", "bind", "configuration", "parameters"]

_MISSING = inspect.Parameter.empty


@attrs.frozen
class Field:
    """What a constructor argument means and which numbers it may take.

    Args:
        help: one line on the meaning.
        unit: physical unit, empty if none.
        above, at_least, below, at_most: limits on a number, or on every number of a tuple.
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


@attrs.frozen
class Parameter:
    """One argument of a component's constructor."""

    name: str
    annotation: Any
    default: Any
    field: Field

    @property
    def required(self) -> bool:
        return self.default is _MISSING

    @property
    def type_name(self) -> str:
        """The type as a reader would write it."""
        return _type_name(self.annotation)


class Configured(nn.Module):
    """A torch module whose constructor arguments are checked and remembered.

    Base of everything that has a name in the catalogue. Subclasses write plain constructors; the values that reach
    them are already checked and converted (a list to a tuple, an int to a float where a float is declared).
    """

    _configuration: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" not in cls.__dict__:
            return
        constructor = cls.__dict__["__init__"]

        @functools.wraps(constructor)
        def checked(self: "Configured", *args: Any, **arguments: Any) -> None:
            if type(self).__init__ is not checked:  # reached through super().__init__() of a subclass
                constructor(self, *args, **arguments)
                return
            bound = inspect.signature(constructor).bind(self, *args, **arguments)
            bound.apply_defaults()
            values = bind(type(self), dict(list(bound.arguments.items())[1:]))
            nn.Module.__init__(self)
            object.__setattr__(self, "_configuration", values)
            constructor(self, **values)

        cls.__init__ = checked  # type: ignore[method-assign, assignment]


def parameters(component: type) -> tuple[Parameter, ...]:
    """What the constructor of a component class takes, in order.

    Raises:
        ConfigurationError: the constructor takes `*args` or `**kwargs`, which nobody could record or check.
    """
    found = []
    if component.__init__ is nn.Module.__init__:  # type: ignore[misc]  # mypy distrusts __init__ of a class value
        return ()
    for argument in list(inspect.signature(component.__init__, eval_str=True).parameters.values())[1:]:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise ConfigurationError(
                f"{component.__name__}: the constructor takes '{argument}', which cannot be recorded in a "
                "checkpoint. Name every argument."
            )
        annotation, field = argument.annotation, Field("")
        if typing.get_origin(annotation) is typing.Annotated:
            annotation, *notes = typing.get_args(annotation)
            field = next((note for note in notes if isinstance(note, Field)), field)
        found.append(Parameter(argument.name, annotation, argument.default, field))
    return tuple(found)


def bind(component: type, values: Mapping[str, Any], owner: str | None = None) -> dict[str, Any]:
    """The constructor arguments of `component`, checked and completed with defaults.

    Args:
        component: a component class.
        values: arguments by name.
        owner: how messages name the component; its class name if not given.

    Raises:
        ConfigurationError: an unknown or a missing key, a value of another type or beyond a limit.
    """
    owner = owner or component.__name__
    declared = {parameter.name: parameter for parameter in parameters(component)}
    for key in values:
        if key not in declared:
            raise ConfigurationError(f"{owner}: unknown key '{key}'.{nearest(key, declared)}")
    complete = {}
    for name, parameter in declared.items():
        if name not in values and parameter.required:
            meaning = f" ({parameter.field.help})" if parameter.field.help else ""
            raise ConfigurationError(f"{owner}: '{name}'{meaning} is missing. Give it a {parameter.type_name}.")
        value = values.get(name, parameter.default)
        complete[name] = (
            value
            if value is None and parameter.default is None
            else _convert(value, parameter.annotation, parameter.field, f"{owner}: '{name}'")
        )
    return complete


def configuration(component: Configured) -> dict[str, Any]:
    """The values that a component was built from, by name, in the order of its constructor.

    >>> from torch import nn
    >>> class Scale(Configured):
    ...     def __init__(self, factor: float = 1.0):
    ...         super().__init__()
    >>> configuration(Scale(2))
    {'factor': 2.0}
    """
    return dict(getattr(component, "_configuration", {}))


def _convert(value: Any, annotation: Any, field: Field, place: str) -> Any:
    """`value` as the annotated type; plain Python annotations only, everything else is checked with isinstance."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any or annotation is _MISSING:
        return value
    if origin in (Union, types.UnionType):
        return _convert_to_any(value, arguments, field, place)
    if origin is Literal:
        if value not in arguments:
            raise ConfigurationError(
                f"{place} is {value!r}, but must be one of {', '.join(map(repr, arguments))}."
                f"{nearest(str(value), map(str, arguments))}"
            )
        return value
    if annotation is None or annotation is type(None):
        accepted = value is None
    elif annotation is bool:
        accepted = isinstance(value, bool)
    elif annotation is int:
        accepted = isinstance(value, int) and not isinstance(value, bool)
    elif annotation is float:
        accepted = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if accepted else value
    elif annotation is Tensor:
        if isinstance(value, list | tuple | float | int):
            value = torch.as_tensor(value, dtype=torch.get_default_dtype())
        accepted = isinstance(value, Tensor)
    elif origin is tuple and isinstance(value, list | tuple):
        return _convert_tuple(value, arguments, field, place)
    else:
        expected = origin or annotation
        if isinstance(value, Mapping) and isinstance(expected, type) and issubclass(expected, Configured):
            from tain.catalogue import build_nested  # the catalogue needs this module first

            value = build_nested(expected, value, place)
        accepted = not isinstance(expected, type) or isinstance(value, expected)
    if not accepted:
        raise ConfigurationError(
            f"{place} is {value!r} ({type(value).__name__}), but must be a {_type_name(annotation)}."
        )
    _check_limits(value, field, place)
    return value


def _convert_to_any(value: Any, choices: tuple[Any, ...], field: Field, place: str) -> Any:
    reasons = []
    for choice in choices:
        try:
            return _convert(value, choice, field, place)
        except ConfigurationError as reason:
            reasons.append(reason)
    # The choice that came furthest knows best: a broken limit or element rather than a wrong type.
    raise next((reason for reason in reasons if "must be a " not in str(reason)), reasons[0])


def _convert_tuple(value: Any, element_types: tuple[Any, ...], field: Field, place: str) -> tuple[Any, ...]:
    if len(element_types) == 2 and element_types[1] is Ellipsis:
        element_types = (element_types[0],) * len(value)
    if len(value) != len(element_types):
        raise ConfigurationError(f"{place} has {len(value)} entries, but must have {len(element_types)}.")
    return tuple(
        _convert(element, kind, field, f"{place}[{index}]")
        for index, (element, kind) in enumerate(zip(value, element_types, strict=True))
    )


def _check_limits(value: Any, field: Field, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    unit = f" {field.unit}" if field.unit else ""
    broken = "a number" if math.isnan(value) else field.broken_limit(value)
    if broken:
        raise ConfigurationError(f"{place} is {value}{unit}, but must be {broken}{unit}.")


def _type_name(annotation: Any) -> str:
    if annotation is _MISSING or annotation is Any:
        return "value"
    if annotation is None or annotation is type(None):
        return "None"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type_name, arguments))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    if origin is tuple and arguments and arguments[-1] is Ellipsis:
        return f"list of {_type_name(arguments[0])}"
    return str(getattr(annotation, "__name__", annotation))
