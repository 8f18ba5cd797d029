"""The pages of the reference that commands write are as the commands would write them now, and say what is so."""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import pytest

import tain
from tain import hookspecs

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


@pytest.fixture(scope="module")
def writers():
    """The modules that write the pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        import api_page
        import plugins_page
        import signatures

        yield {"api": api_page, "plugins": plugins_page, "signatures": signatures}
    for name in ("api_page", "plugins_page", "signatures"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", ["api.md", "hooks.md"])
def test_names_are_listed_with_their_signatures_as_they_are(writers, page):
    written = writers["api"].PAGES[FOLDER / page]()
    assert (FOLDER / page).read_text() == written, "out of date: run python docs/reference/api_page.py"


def test_plugins_are_listed_as_they_are_registered(writers):
    written = writers["plugins"].page()
    assert (FOLDER / "plugins.md").read_text() == written, "out of date: run python docs/reference/plugins_page.py"


def arguments(page, name):
    """The names of the arguments that a page shows a function or class with."""
    (shown,) = re.findall(rf"^ *- `{name}(\(.*\).*?)`", (FOLDER / page).read_text(), re.MULTILINE)
    given = ast.parse(f"def shown{shown}: ...").body[0].args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [argument.arg for argument in every if argument]


@pytest.mark.parametrize("name", tain.__all__)
def test_every_public_name_is_listed_once_with_its_arguments(name):
    value = getattr(tain, name)
    assert len(re.findall(rf"^- `(?:class )?{name}\b", (FOLDER / "api.md").read_text(), re.MULTILINE)) == 1
    if inspect.isclass(value):
        called = not issubclass(value, Exception) and inspect.signature(value).parameters
    else:
        called = inspect.isfunction(inspect.unwrap(value))
    if called:
        assert arguments("api.md", name) == list(inspect.signature(value).parameters)


def test_every_hook_is_listed_with_its_arguments():
    hooks = [name for name in vars(hookspecs) if name.startswith("tain_")]
    assert hooks
    for name in hooks:
        assert arguments("hooks.md", name) == list(inspect.signature(getattr(hookspecs, name)).parameters)


Numbers = tuple[float, ...] | None


@attrs.frozen
class Record:
    """A record. With more."""

    size: Annotated[int, tain.Field("how many")]
    notes: dict[str, int] = attrs.field(factory=dict)
    mode: Literal["a", "b"] = attrs.field(default="a", kw_only=True)


class Base:
    """What is inherited."""

    def same(self, x: int) -> int:
        """Told by the base."""

    def other(self, x: int) -> int:
        """Told by both."""


class Heir(Base):
    """An heir."""

    def same(self, x: int) -> int:
        """Told by the base."""

    def other(self, x: int, *, y: Numbers = None) -> "Record":
        """Told by
        the heir. And more."""

    @classmethod
    def of(cls, *given: "int", **more: Callable[[float], Any]) -> "Heir":
        """Made of it."""

    @property
    def wide(self) -> bool:
        """Whether it is wide."""


def test_signatures_are_those_of_the_source(writers):
    assert writers["signatures"].signature(Record) == (
        "Record(size: int, notes: dict[str, int] = dict(), *, mode: Literal['a', 'b'] = 'a')"
    )
    assert writers["signatures"].members(Heir) == {
        "other(x: int, *, y: tuple[float, ...] | None = None) -> Record": "Told by the heir.",
        "of(*given: int, **more: Callable[[float], Any]) -> Heir": "Made of it.",
        "wide: bool": "Whether it is wide.",
    }


def test_a_name_without_a_topic_or_a_docstring_is_no_page(writers, monkeypatch):
    def undocumented():
        pass

    with pytest.raises(LookupError, match=r"undocumented.* has no docstring"):
        writers["signatures"].first_sentence(undocumented)
    monkeypatch.setitem(tain._HOME, "new_module", "NewName")
    with pytest.raises(LookupError, match=r"^new_module has no topic: add it to TOPICS in api_page.py$"):
        writers["api"].api()
