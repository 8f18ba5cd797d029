"""All installed components as subjects, each through the examples that its plugin gives."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tain.catalogue import Entry, entries, host
from tain.component import Kind
from tain.configured import parameters
from tain.errors import one_line
from tain.plugin_record import Plugin
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.parametrize import cases
from tain.testing.subjects import Subject, as_subject

__all__ = ["conformance_cases", "example_subjects", "subjects_of"]


def subjects_of(entry: Entry) -> list[Subject]:
    """The examples of a component: what its plugin gives, else what its constructor makes of no arguments.

    Raises:
        NotApplicable: it has no examples, and its constructor needs arguments.
        CheckError: making them failed; the message names the component, its distribution and the cause.
    """
    component = entry.component
    what = f"the {entry.kind} '{entry.name}' of {entry.plugin.distribution}"
    try:
        if component.examples is not None:
            return [as_subject(example) for example in component.examples()]
        needed = [parameter.name for parameter in parameters(component.target) if parameter.required]
        if not needed:
            return [as_subject(component.target())]
    except Exception as cause:
        raise CheckError(
            f"{what}: its examples cannot be made ({type(cause).__name__}: {one_line(str(cause), 300)})."
        ) from cause
    raise NotApplicable(
        f"{what} has no examples, and its constructor needs {', '.join(needed)}: give tain.Component(..., examples=), "
        "a function that returns small instances"
    )


def example_subjects(kind: Kind | None = None) -> Iterator[tuple[Entry, list[Subject]]]:
    """Every component of the catalogue, of one kind or of all, that has examples, with them."""
    for entry in entries(kind):
        try:
            yield entry, subjects_of(entry)
        except (NotApplicable, CheckError):
            continue


def conformance_cases() -> Iterator[Any]:
    """A pytest parameter, a function without arguments, for each check of each example, and for each broken plugin."""
    found = entries()
    for plugin in host().plugins:
        if plugin.status != "loaded":
            yield pytest.param(_Unusable(plugin), id=f"{plugin.distribution}-{plugin.name}")
    for entry in found:
        name = f"{entry.plugin.distribution}-{entry.kind}-{entry.name}"
        try:
            subjects = subjects_of(entry)
        except (NotApplicable, CheckError) as reason:
            yield pytest.param(_Raised(reason), id=f"{name}-examples")
            continue
        names = [name if len(subjects) == 1 else f"{name}{index}" for index in range(len(subjects))]
        for parameter in cases(subjects, names=names):
            subject, check = parameter.values
            yield pytest.param(_Bound(check, subject), id=parameter.id)


@attrs.frozen
class _Bound:
    """One check of one example."""

    check: Callable[[Subject], None]
    subject: Subject

    def __call__(self) -> None:
        self.check(self.subject)


@attrs.frozen
class _Raised:
    """Why there are no examples."""

    reason: Exception

    def __call__(self) -> None:
        if isinstance(self.reason, NotApplicable):
            pytest.skip(str(self.reason))
        raise self.reason


@attrs.frozen
class _Unusable:
    """A plugin that is broken, or was blocked on purpose."""

    plugin: Plugin

    def __call__(self) -> None:
        message = f"{self.plugin.distribution} {self.plugin.version} is {self.plugin.status} ({self.plugin.cause})."
        if self.plugin.status == "blocked":
            pytest.skip(message)
        raise CheckError(f"{message} {self.plugin.fix}")
