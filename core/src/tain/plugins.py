"""The plugin host: finds the installed plugins, and keeps one broken plugin from breaking anything else.

Every step that runs a plugin's code (import, registration, each hook call) has a guard of its own. A plugin that fails
is kept in the list as broken, with its cause, and is not asked again. Imports no torch.

Environment:
    TAIN_BLOCK: distributions or plugin names, separated by commas, that are not loaded.
    TAIN_PREFER: distributions, separated by commas, that win where two provide the same name.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Literal

import attrs
import pluggy

from tain import builtin, hookspecs
from tain.component import Component, Kind
from tain.errors import nearest

__all__ = ["HOOK_OF_KIND", "Plugin", "PluginHost"]

HOOK_OF_KIND: Mapping[Kind, str] = {
    "constraint": "tain_constraints",
    "mirror-map": "tain_mirror_maps",
    "generator": "tain_generators",
    "solver": "tain_solvers",
}


@attrs.define(eq=False)
class Plugin:
    """One plugin, working or not.

    Attributes:
        name: of its entry point.
        distribution, version: where it comes from.
        status: `loaded`, `broken` or `blocked`.
        cause: why it is broken or blocked.
    """

    name: str
    distribution: str
    version: str
    status: Literal["loaded", "broken", "blocked"] = "loaded"
    cause: str = ""
    module: Any = None
    _components: dict[Kind, tuple[Component, ...]] = attrs.field(factory=dict)


class PluginHost:
    """The plugins of one process.

    Args:
        found: entry points to load, by default all of the group `tain`.
        environment: where TAIN_BLOCK and TAIN_PREFER are read, by default the process's.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._blocked = _names(environment.get("TAIN_BLOCK", ""))
        self.preferred = _names(environment.get("TAIN_PREFER", ""))
        self._manager = pluggy.PluginManager("tain")
        self._manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = [Plugin("tain", "tain", version("tain"), module=builtin)]
        self._manager.register(builtin)
        entries = entry_points(group=hookspecs.ENTRY_POINT_GROUP) if found is None else found
        for entry in sorted(entries, key=lambda e: (_origin(e)[0], e.name)):
            self.plugins.append(self._load(entry))

    def components(self, kind: Kind) -> Iterator[tuple[Plugin, Component]]:
        """All components of one kind, with the plugins that provide them."""
        for plugin in self.plugins:
            if plugin.status == "loaded" and kind not in plugin._components and plugin.module:
                records = self._ask(plugin, HOOK_OF_KIND[kind])
                self._accept(plugin, kind, records)
            for component in plugin._components.get(kind, ()):
                yield plugin, component

    def offers(self, constraint: Any) -> Iterator[tuple[Plugin, Any]]:
        """All mirror maps that plugins offer for a constraint."""
        for plugin in self.plugins:
            if plugin.status == "loaded" and plugin.module:
                for mirror in self._ask(plugin, "tain_mirror_for", constraint=constraint):
                    yield plugin, mirror

    def register(self, kind: Kind, component: Component) -> None:
        """Add a component of the running program itself; a later one of the same name replaces it."""
        program = next((plugin for plugin in self.plugins if plugin.name == "(program)"), None)
        if program is None:
            program = Plugin("(program)", "(this program)", "")
            self.plugins.append(program)
        others = tuple(c for c in program._components.get(kind, ()) if c.name != component.name)
        program._components[kind] = (*others, component)

    def _load(self, entry: EntryPoint) -> Plugin:
        distribution, release = _origin(entry)
        plugin = Plugin(entry.name, distribution, release)
        if {entry.name, distribution} & self._blocked:
            plugin.status, plugin.cause = "blocked", "blocked by TAIN_BLOCK"
            return plugin
        try:
            plugin.module = entry.load()
            self._manager.register(plugin.module, name=f"{distribution}:{entry.name}")
            for caller in self._manager.get_hookcallers(plugin.module) or ():
                if not caller.has_spec():
                    raise LookupError(f"'{caller.name}' is no hook of tain.{nearest(caller.name, _hook_names())}")
        except (Exception, SystemExit) as cause:
            self._break(plugin, cause)
        return plugin

    def _ask(self, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
        """What one plugin's implementation of a hook returns, drained inside the guard."""
        others = [other for other in self._manager.get_plugins() if other is not plugin.module]
        try:
            answers = self._manager.subset_hook_caller(hook, remove_plugins=others)(**arguments)
            return [record for answer in answers for record in answer]
        except (Exception, SystemExit) as cause:
            self._break(plugin, cause, during=hook)
            return []

    def _accept(self, plugin: Plugin, kind: Kind, records: list[Any]) -> None:
        from tain.catalogue import base_of  # needs torch, so only once components are asked for

        for record in records:
            if not isinstance(record, Component) or not issubclass(record.target, base_of(kind)):
                given = record if not isinstance(record, Component) else record.target
                wanted = f"tain.Component records of {base_of(kind).__name__} classes"
                self._break(plugin, TypeError(f"returned {given!r} instead of {wanted}"), during=HOOK_OF_KIND[kind])
                return
        plugin._components[kind] = tuple(records)

    def _break(self, plugin: Plugin, cause: BaseException, during: str = "loading") -> None:
        plugin.status, plugin.cause = "broken", f"{during}: {type(cause).__name__}: {cause}"
        plugin._components.clear()
        if plugin.module is not None and self._manager.is_registered(plugin.module):
            self._manager.unregister(plugin.module)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _origin(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("(unknown)", "")


def _hook_names() -> list[str]:
    return [name for name in vars(hookspecs) if name.startswith("tain_")]
