"""Configuration, declared once: what a component's constructor takes *is* its configuration.

A component class writes an ordinary constructor with annotations. From it come the checks of every value, the page
that `tain show NAME` prints, what a TOML file may say, and what a checkpoint records:

    class Ball(Constraint):
        def __init__(self, radius: Annotated[float, Field("radius of the ball", above=0)] = 1.0): ...

Values are plain (bool, int, float, str, None, tuples of them, tensors) or other components.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from torch import Tensor, nn

from tain.conversion import convert
from tain.errors import ConfigurationError, nearest
from tain.fields import MISSING, Field, described, split_field, type_name

__all__ = ["Configured", "Field", "Parameter", "bind", "configuration", "parameters", "signature_of"]


@attrs.frozen
class Parameter:
    """One argument of a component's constructor."""

    name: str
    annotation: Any
    default: Any
    field: Field

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def type_name(self) -> str:
        """The type as a reader would write it."""
        return type_name(self.annotation)


class Configured(nn.Module):
    """A torch module whose constructor arguments are checked and remembered.

    Base of everything that has a name in the catalogue. Subclasses write plain constructors; the values that reach
    them are already checked and converted (a list to a tuple, an int to a float where a float is declared).
    """

    _configuration: dict[str, Any]

    def __init__(self) -> None:
        if "_parameters" not in self.__dict__:  # else it would forget what was assigned before super().__init__()
            nn.Module.__init__(self)

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
            values = bind(type(self), _by_name(constructor, self, args, arguments))
            Configured.__init__(self)
            object.__setattr__(self, "_configuration", {key: _kept(value) for key, value in values.items()})
            constructor(self, **values)

        cls.__init__ = checked  # type: ignore[method-assign]


def parameters(component: type) -> tuple[Parameter, ...]:
    """What the constructor of a component class takes, in order.

    Raises:
        ConfigurationError: the constructor takes what nobody could record or check: `*args`, `**kwargs`, arguments
            without a name, or an annotation that means nothing at run time.
    """
    found = []
    for argument in signature_of(component).parameters.values():
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise ConfigurationError(
                f"{component.__name__}: the constructor takes '{argument}', which cannot be recorded in a "
                "checkpoint. Name every argument."
            )
        annotation, field = split_field(argument.annotation, Field(""))
        found.append(Parameter(argument.name, annotation, argument.default, field))
    return tuple(found)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function or class, with the annotations that are strings evaluated.

    Raises:
        ConfigurationError: one of them means nothing at run time.
    """
    try:
        return inspect.signature(function, eval_str=True)
    except NameError as cause:
        raise ConfigurationError(
            f"{function.__name__}: an annotation cannot be evaluated ({cause}). Import its type at the top of the "
            "module, outside of `if TYPE_CHECKING`."
        ) from cause


def bind(component: type, values: Mapping[str, Any], owner: str | None = None) -> dict[str, Any]:
    """The constructor arguments of `component`, checked and completed with defaults.

    Args:
        component: a component class, or an attrs record of settings (whose fields may be records again).
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
            raise ConfigurationError(
                f"{owner}: '{name}'{meaning} is missing. Give it {described(parameter.annotation)}."
            )
        value = values.get(name, parameter.default)
        complete[name] = (
            value
            if value is None and parameter.default is None
            else convert(value, parameter.annotation, parameter.field, f"{owner}: '{name}'")
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


def _by_name(constructor: Any, component: Configured, args: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, all by name; unknown and missing ones are left for `bind` to name."""
    signature = inspect.signature(constructor)
    known = {key: value for key, value in arguments.items() if key in signature.parameters}
    bound = signature.bind_partial(component, *args, **known).arguments
    return {**dict(list(bound.items())[1:]), **arguments}


def _kept(value: Any) -> Any:
    """What is remembered of a value: a copy of a tensor, since training may change the one that was given."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return tuple(map(_kept, value)) if isinstance(value, tuple) else value
