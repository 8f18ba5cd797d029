"""The registry: every known plugin, installed or not, as told by registry.toml. Imports no torch.

It turns "unknown name" into "install this". It is data only: nothing in it is imported or run.
"""

import functools
from importlib.resources import files
from typing import Any, Literal

import attrs

from tain.component import Kind

__all__ = ["Registered", "distributions_with", "registry"]


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
    tier: Literal["official", "community"] = "official"
    status: Literal["available", "planned"] = "available"
    provides: dict[Kind, tuple[str, ...]] = attrs.field(factory=dict)


@functools.cache
def registry() -> tuple[Registered, ...]:
    """All plugins of registry.toml.

    >>> [plugin.distribution for plugin in registry()][0]
    'tain-analytic'
    """
    import tomllib  # only now, since most programs never need the registry

    text = files("tain").joinpath("registry.toml").read_text(encoding="utf-8")
    return tuple(_read(record) for record in tomllib.loads(text)["plugin"])


def distributions_with(kind: Kind, name: str) -> tuple[Registered, ...]:
    """The registered plugins that provide a component of that kind and name."""
    return tuple(plugin for plugin in registry() if name in plugin.provides.get(kind, ()))


def _read(record: dict[str, Any]) -> Registered:
    provides = {kind: tuple(names) for kind, names in record.pop("provides", {}).items()}
    return Registered(provides=provides, **record)
