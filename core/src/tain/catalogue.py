"""The catalogue: components by kind and name, whichever plugin they come from.

TOML files, checkpoints and the command line name components here; none of them ever names a class path.
"""

import functools
from collections.abc import Mapping
from typing import Any

import attrs

from tain.component import KINDS, Component, Kind
from tain.configured import Configured, bind
from tain.errors import (
    BrokenPluginError,
    ConfigurationError,
    DuplicateNameError,
    TainError,
    UnknownNameError,
    nearest,
    one_line,
)
from tain.fields import shown
from tain.kinds import base_of, kind_of, require_kind
from tain.plugin_record import Plugin
from tain.plugins import PROGRAM, PluginHost
from tain.registry import distributions_with

__all__ = ["Entry", "base_of", "build_nested", "create", "entries", "find", "host", "identify", "register"]


@attrs.frozen
class Entry:
    """One component of the catalogue, with its kind and the plugin that provides it."""

    kind: Kind
    component: Component
    plugin: Plugin

    @property
    def name(self) -> str:
        """How the component is called."""
        return self.component.name

    @property
    def target(self) -> type[Any]:
        """The component's class."""
        return self.component.target


@functools.cache
def host() -> PluginHost:
    """The plugins of this process, loaded at the first call."""
    return PluginHost()


def entries(kind: Kind | None = None) -> tuple[Entry, ...]:
    """Everything that the working plugins provide, sorted by kind and name.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"There is no kind of component '{kind}'.{nearest(str(kind), KINDS)}")
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
        matches = [entry for entry in matches if entry.plugin.is_in(host().preferred)] or matches
    if len(matches) > 1:
        raise _clash(kind, name, [entry.plugin for entry in matches])
    if matches:
        return matches[0]
    raise _unknown(kind, name, [entry.name for entry in known])


def create(kind: Kind, name: str, /, **values: Any) -> Any:
    """Build a component from its kind, name and configuration.

    Raises:
        ConfigurationError: a key or value that it does not take.
        UnknownNameError, DuplicateNameError: as `find`.
        BrokenPluginError: as `find`, or its constructor raised something that is no error of tain.
    """
    entry = find(kind, name)
    values = bind(entry.target, values, owner=f"{kind} '{name}'")  # bound here to be named as the user named it
    try:
        return entry.target(**values)
    except TainError:
        raise
    except Exception as cause:
        plugin = entry.plugin
        raise BrokenPluginError(
            f"The {kind} '{name}' of {plugin.distribution} {plugin.version} could not be made ({type(cause).__name__}: "
            f"{one_line(str(cause), 300)}). Check what it is given ({shown(values)}), or tell its authors."
        ) from cause


def build_nested(base: type, values: Mapping[str, Any], place: str) -> Any:
    """A component that stands as a table within another's configuration: {"name": ..., its arguments}."""
    kind = kind_of(base)
    if kind is None or not isinstance(values.get("name"), str):
        raise ConfigurationError(f"{place} is {shown(dict(values))}, but must have a component's name under 'name'.")
    return create(kind, values["name"], **{key: value for key, value in values.items() if key != "name"})


def identify(component: Configured) -> Entry:
    """The catalogue entry of an object's class.

    A class that was defined again, as when a notebook's cell is run twice, is still the same component: a model that
    was trained with the earlier one can be saved.

    Raises:
        UnknownNameError: no plugin provides the class.
    """
    made = type(component)
    kind = kind_of(made)
    if kind is None:
        raise UnknownNameError(f"{made.__name__} is no component of tain: neither {', nor '.join(KINDS)}.")
    known = entries(kind)
    for entry in known:
        if entry.target is made:
            return entry
    for entry in known:
        if (entry.target.__module__, entry.target.__qualname__) == (made.__module__, made.__qualname__):
            return entry
    raise UnknownNameError(
        f"{made.__name__} is in no plugin, so it has no name to be reloaded by. Provide it through a hook, "
        f"or in a script: tain.register('{kind}', tain.Component('my-name', {made.__name__}))."
    )


def register(kind: Kind, component: Component) -> None:
    """Add a component of the running program to the catalogue; a later one of the same name replaces it.

    Raises:
        ConfigurationError: its class is abstract or not of that kind.
    """
    require_kind(kind, component)
    host().register(kind, component)


def _clash(kind: Kind, name: str, owners: list[Plugin]) -> DuplicateNameError:
    distributions = [plugin.distribution for plugin in owners]
    several = len(set(distributions)) == len(owners)  # else only the names of the plugins tell them apart
    names = distributions if several else [plugin.name for plugin in owners]
    installed = [plugin.distribution if several else plugin.name for plugin in owners if plugin.name != PROGRAM]
    fix = f"Prefer one with TAIN_PREFER={installed[0]}" if len(installed) > 1 else "Give yours another name"
    return DuplicateNameError(f"{len(owners)} plugins provide the {kind} '{name}': {', '.join(names)}. {fix}.")


def _unknown(kind: Kind, name: str, known: list[str]) -> Exception:
    """Why there is no such component, as an error that says what to do."""
    plugins = host().plugins
    failed = [plugin for plugin in plugins if plugin.status != "loaded"]
    registered = distributions_with(kind, name)
    homes = {plugin.distribution for plugin in registered}
    for plugin in failed:
        if plugin.distribution in homes or name in (component.name for component in plugin.provided(kind)):
            return BrokenPluginError(
                f"The {kind} '{name}' comes from {plugin.distribution} {plugin.version}, which is {plugin.status} "
                f"({plugin.cause}). {plugin.fix}"
            )
    for home in registered:
        if home.status == "available":
            loaded = any(plugin.distribution == home.distribution for plugin in plugins)
            upgrade = " --upgrade" if loaded else ""
            return UnknownNameError(f"No {kind} '{name}' is installed. Run: pip install{upgrade} {home.distribution}")
    message = f"No plugin provides a {kind} '{name}'.{nearest(name, known)}"
    if failed:
        causes = "; ".join(f"{plugin.distribution} is {plugin.status} ({plugin.cause})" for plugin in failed)
        message += f" Not loaded: {causes}."
    return UnknownNameError(message)
