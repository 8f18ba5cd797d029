"""The registry: every known plugin, installed or not, as told by registry.toml. Imports no torch.

It turns "unknown name" into "install this". It is data only: nothing in it is imported or run.
"""

import functools
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Any, Literal, get_args

import attrs

from tain.component import KINDS, Kind
from tain.errors import ConfigurationError, nearest

__all__ = ["Registered", "distributions_with", "read_registry", "registry"]

SCHEMA = 1
Tier = Literal["official", "community"]
Status = Literal["available", "planned"]


@attrs.frozen
class Registered:
    """One plugin of the registry.

    Attributes:
        distribution: what pip installs.
        module: what Python imports.
        folder: where its source is in tain's own repository; empty for plugins that live elsewhere.
        tier: `official`, or `community` for plugins that others maintain.
        status: `available`, or `planned` for one that cannot be installed yet.
        summary: one line.
        provides: names of its components by kind.
    """

    distribution: str
    module: str
    summary: str
    folder: str = ""
    tier: Tier = "official"
    status: Status = "available"
    provides: dict[Kind, tuple[str, ...]] = attrs.field(factory=dict)


@functools.cache
def registry() -> tuple[Registered, ...]:
    """All plugins of registry.toml.

    >>> [plugin.distribution for plugin in registry()][0]
    'tain-analytic'
    """
    return read_registry(files("tain").joinpath("registry.toml").read_text(encoding="utf-8"))


def read_registry(text: str) -> tuple[Registered, ...]:
    """The plugins of a registry's text.

    Raises:
        ConfigurationError: the text is no TOML or of another schema, or an entry has a key, kind or value that the
            schema does not know, or lacks one; the message names the entry.

    >>> read_registry('schema = 1')
    ()
    """
    import tomllib  # only now, since most programs never need the registry

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise ConfigurationError(f"The registry is no TOML: {cause}.") from cause
    if content.get("schema") != SCHEMA:
        raise ConfigurationError(f"The registry has the schema {content.get('schema')!r}, but must have {SCHEMA}.")
    _require_known("The registry", "key", content, ("schema", "plugin"))
    return tuple(_read(record, number) for number, record in enumerate(content.get("plugin", ()), start=1))


def distributions_with(kind: Kind, name: str) -> tuple[Registered, ...]:
    """The registered plugins that provide a component of that kind and name."""
    return tuple(plugin for plugin in registry() if name in plugin.provides.get(kind, ()))


def _read(record: Mapping[str, Any], number: int) -> Registered:
    """One entry, the `number`-th, checked."""
    fields = attrs.fields_dict(Registered)
    entry = f"The registry's entry '{record.get('distribution', number)}'"
    provides = record.get("provides", {})
    if not isinstance(provides, Mapping):
        raise ConfigurationError(f"{entry} provides {provides!r}, but must have a table of names by kind.")
    _require_known(entry, "key", record, fields)
    _require_known(entry, "kind of components", provides, KINDS)
    for key, values in (("tier", get_args(Tier)), ("status", get_args(Status))):
        if key in record:
            _require_known(entry, key, [record[key]], values)
    for key, field in fields.items():
        if field.default is attrs.NOTHING and key not in record:
            raise ConfigurationError(f"{entry} has no '{key}'.")
        if key in record and key != "provides" and not (isinstance(record[key], str) and record[key]):
            raise ConfigurationError(f"{entry} has {record[key]!r} as its {key}, but must have text.")
    for kind, names in provides.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ConfigurationError(f"{entry} has {names!r} as its {kind}, but must have a list of names.")
    return Registered(**{**record, "provides": {kind: tuple(names) for kind, names in provides.items()}})


def _require_known(entry: str, what: str, given: Any, known: Collection[str]) -> None:
    for value in given:
        if value not in known:
            raise ConfigurationError(f"{entry} has the unknown {what} {value!r}.{nearest(str(value), known)}")
