"""The catalogue: components by kind and name, whichever plugin they come from.

TOML files, checkpoints and the command line name components here; none of them ever names a class path.
"""

import functools
from collections.abc import Mapping
from typing import Any

import attrs

from tain.component import KINDS, Component, Kind
from tain.configured import Configured, bind
from tain.constraints import Constraint
from tain.errors import (
    BrokenPluginError,
    ConfigurationError,
    DuplicateNameError,
    UnknownNameError,
    nearest,
)
from tain.generators import Generator
from tain.mirror_maps import MirrorMap
from tain.plugins import Plugin, PluginHost
from tain.registry import distributions_with
from tain.solvers import Solver

__all__ = ["Entry", "base_of", "build_nested", "create", "entries", "find", "host", "identify", "register"]

_BASES: Mapping[Kind, type[Configured]] = {
    "constraint": Constraint,
    "mirror-map": MirrorMap,
    "generator": Generator,
    "solver": Solver,
}


@attrs.frozen
class Entry:
    """One component of the catalogue, with its kind and the plugin that provides it."""

    kind: Kind
    component: Component
    plugin: Plugin

    @property
    def name(self) -> str:
        return self.component.name

    @property
    def target(self) -> type[Any]:
        return self.component.target


@functools.cache
def host() -> PluginHost:
    """The plugins of this process, loaded at the first call."""
    return PluginHost()


def base_of(kind: Kind) -> type[Configured]:
    """The abstract class of a kind.

    >>> base_of("constraint").__name__
    'Constraint'
    """
    return _BASES[kind]


def entries(kind: Kind | None = None) -> tuple[Entry, ...]:
    """Everything that the working plugins provide, sorted by kind and name."""
    kinds = KINDS if kind is None else (kind,)
    found = [Entry(k, component, plugin) for k in kinds for plugin, component in host().components(k)]
    return tuple(sorted(found, key=lambda entry: (KINDS.index(entry.kind), entry.name)))


def find(kind: Kind, name: str) -> Entry:
    """The component of that kind and name.

    Raises:
        UnknownNameError: no plugin provides it; the message names the nearest ones and what to install.
        BrokenPluginError: it comes from an installed plugin that is broken.
        DuplicateNameError: two plugins provide it and none is preferred.
    """
    known = entries(kind)
    matches = [entry for entry in known if entry.name == name]
    if len(matches) > 1:
        matches = [entry for entry in matches if entry.plugin.distribution in host().preferred] or matches
    if len(matches) > 1:
        owners = ", ".join(entry.plugin.distribution for entry in matches)
        raise DuplicateNameError(
            f"Two plugins provide the {kind} '{name}': {owners}. Prefer one with TAIN_PREFER={matches[0].plugin.distribution}."
        )
    if matches:
        return matches[0]
    raise _unknown(kind, name, [entry.name for entry in known])


def create(kind: Kind, name: str, /, **values: Any) -> Any:
    """Build a component from its kind, name and configuration.

    Raises:
        ConfigurationError: a key or value that it does not take.
        UnknownNameError, BrokenPluginError, DuplicateNameError: as `find`.
    """
    target = find(kind, name).target
    bind(target, values, owner=f"{kind} '{name}'")  # so that the message says the name that the user wrote
    return target(**values)


def build_nested(base: type[Configured], values: Mapping[str, Any], place: str) -> Any:
    """A component that stands as a table within another's configuration: {"name": ..., its arguments}."""
    kind = next((kind for kind in KINDS if issubclass(base, _BASES[kind])), None)
    if kind is None or not isinstance(values.get("name"), str):
        raise ConfigurationError(f"{place} is {dict(values)!r}, but must have the name of a component under 'name'.")
    return create(kind, values["name"], **{key: value for key, value in values.items() if key != "name"})


def identify(component: Configured) -> Entry:
    """The catalogue entry of an object's class.

    Raises:
        UnknownNameError: no plugin provides the class.
    """
    kind = next((kind for kind in KINDS if isinstance(component, _BASES[kind])), None)
    for entry in entries(kind):
        if entry.target is type(component):
            return entry
    raise UnknownNameError(
        f"{type(component).__name__} is in no plugin, so it has no name to be reloaded by. Provide it through a hook, "
        f"or in a script: tain.register('{kind}', tain.Component('my-name', {type(component).__name__}))."
    )


def register(kind: Kind, component: Component) -> None:
    """Add a component of the running program to the catalogue; a later one of the same name replaces it.

    Raises:
        ConfigurationError: its class is not of that kind.
    """
    if not issubclass(component.target, base_of(kind)):
        raise ConfigurationError(
            f"{component.target.__name__} cannot be the {kind} '{component.name}': it is no {base_of(kind).__name__}."
        )
    host().register(kind, component)


def _unknown(kind: Kind, name: str, known: list[str]) -> Exception:
    broken = {plugin.distribution: plugin for plugin in host().plugins if plugin.status != "loaded"}
    for registered in distributions_with(kind, name):
        if plugin := broken.get(registered.distribution):
            return BrokenPluginError(
                f"The {kind} '{name}' comes from {plugin.distribution} {plugin.version}, which is {plugin.status} "
                f"({plugin.cause}). Reinstall it, or ask its authors."
            )
        if registered.status == "available":
            return UnknownNameError(f"No {kind} '{name}' is installed. Run: pip install {registered.distribution}")
    message = f"No plugin provides a {kind} '{name}'.{nearest(name, known)}"
    if broken:
        message += f" Not loaded: {', '.join(broken)}; see `tain plugins`."
    return UnknownNameError(message)
