"""What is tested: a component, and what the checks need to know of it."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import attrs
import torch
from torch import Tensor

from tain.catalogue import identify
from tain.configured import Configured, configuration
from tain.constraints import Constraint
from tain.errors import ConfigurationError, UnknownNameError, nearest, one_line
from tain.generators import Generator
from tain.mirror_maps import MirrorMap
from tain.mirrored import Mirrored

__all__ = ["Points", "Subject", "as_subject", "expression"]

Points = Callable[..., Tensor]
"""Draws points inside a set: points(n, rng=, dtype=) to (n, *S), as `tain.Interior.interior` does."""

_ROUND_TRIP = {torch.float32: 1e-5, torch.float64: 1e-11}
_DERIVATIVE = {torch.float32: 2e-3, torch.float64: 1e-6}


def _round_trips(given: Mapping[torch.dtype, float] | None) -> dict[torch.dtype, float]:
    return {**_ROUND_TRIP, **(given or {})}


def _derivatives(given: Mapping[torch.dtype, float] | None) -> dict[torch.dtype, float]:
    return {**_DERIVATIVE, **(given or {})}


def rule_of(component: Configured) -> Constraint | None:
    """The constraint that a component is, or that its samples keep."""
    if isinstance(component, Constraint):
        return component
    if isinstance(component, Mirrored):
        return component.mirror.constraint
    return component.constraint if isinstance(component, MirrorMap) else None


def _shape(given: tuple[int, ...] | None, subject: Any) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    component = subject.component
    if isinstance(component, Generator):
        return tuple(component.event_shape)
    rule = rule_of(component)
    if rule is None:
        return ()
    return rule.event_shape if rule.event_shape is not None else (4,) * rule.event_ndim


@attrs.frozen(eq=False)
class Subject:
    """A component under test, and what the checks need to know of it.

    A component declares any of these itself in a class attribute (or property) `testing`, a mapping by the names below;
    what is given to `parametrize_checks` or `run_checks` goes first.

    Attributes:
        component: what is tested.
        event_shape: shape of one sample; by default the component's own, or four numbers a dimension.
        dtypes: in which to test it.
        points: draws points inside the set, `points(n, rng=, dtype=)`, where the promises of the component hold. By
            default the points come from the constraint's `interior`.
        outside: draws points outside of the set, `outside(n, rng=, dtype=)`. By default points inside are moved away
            until the distance is above the tolerance, which cannot tell that a distance overlooks something.
        start: a point well inside the set, shape event_shape, from which hit-and-run finds others.
        round_trip: the largest error of `inverse(forward(x))`, relative to x and to the constraint's scale, by dtype.
        derivative: the largest relative error of derivatives, by dtype.
        tolerance: how far outside of its set a result may be, by dtype; by default the constraint's tolerance.
        largest_image: the largest size of mirror images for which `inverse` keeps its promises.
        accuracy: of a solver's posterior means and standard deviations, in units of the prior's standard deviation.
        expected_failures: for each check that the component must fail, why; passing it is a failure then.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> Subject(sum_one).event_shape
        (4,)
    """

    component: Configured
    event_shape: tuple[int, ...] = attrs.field(converter=tuple)
    dtypes: tuple[torch.dtype, ...] = attrs.field(converter=tuple, default=(torch.float32, torch.float64))
    points: Points | None = None
    outside: Points | None = None
    start: Tensor | None = None
    round_trip: Mapping[torch.dtype, float] = attrs.field(converter=_round_trips, default=None)
    derivative: Mapping[torch.dtype, float] = attrs.field(converter=_derivatives, default=None)
    tolerance: Mapping[torch.dtype, float] | None = None
    largest_image: float = 1e30
    accuracy: float = 0.15
    expected_failures: Mapping[str, str] = attrs.field(factory=dict)
    given: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @event_shape.default
    def _own_shape(self) -> tuple[int, ...]:
        rule = self.constraint
        if isinstance(self.component, Generator):
            return tuple(self.component.event_shape)
        if rule is None:
            return ()
        return rule.event_shape if rule.event_shape is not None else (4,) * rule.event_ndim

    @property
    def name(self) -> str:
        """How test identifiers call it: the name of its class."""
        return type(self.component).__name__

    @property
    def constraint(self) -> Constraint | None:
        """The rule of its samples, if it has one."""
        return rule_of(self.component)

    @property
    def scale(self) -> float:
        """The size of the numbers in its set."""
        return 1.0 if self.constraint is None else self.constraint.scale

    def limit(self, dtype: torch.dtype) -> float:
        """How far outside of its set a result may be."""
        if self.tolerance is not None and dtype in self.tolerance:
            return self.tolerance[dtype]
        return 0.0 if self.constraint is None else self.constraint.tolerance(dtype)


def as_subject(component: Subject | Configured, **settings: Any) -> Subject:
    """A component with what it declares in `testing` and what is given here, which goes first.

    Raises:
        ConfigurationError: it is no component, or there is no such setting.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    if isinstance(component, Subject):
        return attrs.evolve(component, **given, given={**component.given, **given}) if given else component
    if not isinstance(component, Configured):
        raise ConfigurationError(
            f"{one_line(repr(component))} cannot be tested: it is no component. Give an object, such as Simplex(3), "
            "not its class."
        )
    known = {field.name for field in attrs.fields(Subject)} - {"component", "given"}
    declared = dict(getattr(component, "testing", {}))
    for key in (*declared, *given):
        if key not in known:
            raise ConfigurationError(f"{type(component).__name__}: unknown setting '{key}'.{nearest(key, known)}")
    return Subject(component, **{**declared, **given}, given=given)


def expression(value: Any) -> str:
    """Python code that builds a component, or another value, again.

    >>> expression((1.0, torch.tensor([2.0])))
    '(1.0, torch.tensor([2.0]))'
    """
    if isinstance(value, Configured):
        arguments = [f"{key}={expression(part)}" for key, part in configuration(value).items()]
        made = type(value)
        if getattr(sys.modules.get(made.__module__), made.__name__, None) is not made:  # such as tain.constraint makes
            with suppress(UnknownNameError):
                entry = identify(value)
                return f"tain.create({', '.join([repr(entry.kind), repr(entry.name), *arguments])})"
        return f"{made.__name__}({', '.join(arguments)})"
    if isinstance(value, Tensor):
        dtype = "" if value.dtype == torch.get_default_dtype() else f", dtype={value.dtype}"
        return f"torch.tensor({value.tolist()}{dtype})"
    if isinstance(value, float) and not abs(value) < float("inf"):
        return f"float('{value}')"
    if isinstance(value, tuple):
        return f"({', '.join(map(expression, value))}{',' if len(value) == 1 else ''})"
    return str(value.__name__) if callable(value) and hasattr(value, "__name__") else repr(value)
