"""The plugin host: finds the installed plugins, and keeps one broken plugin from breaking anything else.

Every step that runs a plugin's code (import, registration, each hook call) has a guard of its own. A plugin that fails
is kept in the list as broken, with its cause, and is not asked again. Each has a pluggy manager of its own, since one
for all looks at every plugin's attributes whenever one is asked. Imports no torch.

Environment:
    TAIN_BLOCK: distributions or plugin names, separated by commas, that are not loaded.
    TAIN_PREFER: distributions or plugin names, separated by commas, that win where two provide the same name.
    TAIN_TRACE: if not empty, every call of a hook is told on the error stream: of which plugin, what came, how long.
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points, version
from types import ModuleType
from typing import Any

from pluggy import PluginValidationError

from tain import builtin, hookspecs
from tain.component import Component, Kind
from tain.errors import nearest, one_line
from tain.plugin_record import Plugin, normal

__all__ = ["HOOK_OF_KIND", "PROGRAM", "PluginHost"]

HOOK_OF_KIND: Mapping[Kind, str] = {
    "constraint": "tain_constraints",
    "mirror-map": "tain_mirror_maps",
    "generator": "tain_generators",
    "solver": "tain_solvers",
}
PROGRAM = "(this program)"


class PluginHost:
    """The plugins of one process, loaded when first asked for.

    Args:
        found: entry points to load, by default all of the group `tain`.
        environment: where the variables above are read, by default the process's.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._blocked = _names(environment.get("TAIN_BLOCK", ""))
        self.preferred = _names(environment.get("TAIN_PREFER", ""))
        self.trace = bool(environment.get("TAIN_TRACE"))
        self._plugins = [Plugin("tain", "tain", version("tain"), module=builtin)]
        self._register(self._plugins[0])
        self._found = found
        self._complete = False

    @property
    def plugins(self) -> list[Plugin]:
        """All plugins, working or not."""
        if not self._complete:
            self._complete = True  # at once, since a plugin that is being imported may ask the catalogue for something
            found = entry_points(group=hookspecs.ENTRY_POINT_GROUP) if self._found is None else self._found
            for entry in sorted(found, key=lambda e: (_origin(e), e.name)):
                self._plugins.append(self._load(entry))
        return self._plugins

    def components(self, kind: Kind) -> Iterator[tuple[Plugin, Component]]:
        """All components of one kind, with the plugins that provide them."""
        for plugin in self.plugins:
            if plugin.status == "loaded" and plugin.module is not None and kind not in plugin._components:
                from tain.kinds import require_components  # needs torch, so only once components are asked for

                records = self._ask(plugin, HOOK_OF_KIND[kind], functools.partial(require_components, kind))
                plugin._components[kind] = tuple(records)
            if plugin.status == "loaded":
                for component in plugin.provided(kind):
                    yield plugin, component

    def offers(self, constraint: Any, event_shape: tuple[int, ...] | None = None) -> Iterator[tuple[Plugin, Any]]:
        """All mirror maps that plugins offer for a constraint; with a shape, also those that have to be trained."""
        from tain.kinds import require_offers

        check, asked = functools.partial(require_offers, constraint), "tain_mirror_for"
        for plugin in self.plugins:
            if plugin.status == "loaded" and plugin.module is not None:
                for mirror in self._ask(plugin, asked, check, constraint=constraint, event_shape=event_shape):
                    yield plugin, mirror

    def records(
        self, hook: str, specification: ModuleType, check: Callable[[list[Any]], None]
    ) -> Iterator[tuple[Plugin, Any]]:
        """All records that plugins give for a hook that another plugin specifies, as tain-lab does `tain_datasets`.

        Args:
            hook: name of the hook, a function without arguments.
            specification: the module that has it, marked by `tain.hookspecs.hookspec`.
            check: raises an error for records of one plugin that are not as they must be, which breaks that plugin.
        """
        for plugin in self.plugins:
            if plugin.status == "loaded" and plugin.module is not None:
                caller = getattr(plugin._manager.hook, hook, None)
                try:
                    if caller is None or not caller.has_spec():
                        plugin._manager.add_hookspecs(specification)
                except PluginValidationError as cause:
                    plugin.fail(cause, during=hook)
                    continue
                for record in self._ask(plugin, hook, check):
                    yield plugin, record

    def register(self, kind: Kind, component: Component) -> None:
        """Add a component of the running program itself; a later one of the same name replaces it."""
        program = next((plugin for plugin in self._plugins if plugin.name == PROGRAM), None)
        if program is None:
            program = Plugin(PROGRAM, PROGRAM, "")
            self._plugins.append(program)
        others = tuple(c for c in program.provided(kind) if c.name != component.name)
        program._components[kind] = (*others, component)

    def add(self, plugin: Plugin) -> None:
        """Add a plugin that is no distribution, with its module.

        Raises:
            LookupError, TypeError, ValueError: its hooks are not those of tain.
        """
        self._register(plugin)
        self._plugins.append(plugin)

    def _load(self, entry: EntryPoint) -> Plugin:
        plugin = Plugin(entry.name, *_origin(entry))
        if plugin.is_in(self._blocked):
            plugin.status, plugin.cause = "blocked", "by TAIN_BLOCK"
            return plugin
        try:
            plugin.module = entry.load()
            self._register(plugin)
        except (Exception, SystemExit) as cause:
            plugin.fail(cause, during="loading")
        return plugin

    def _register(self, plugin: Plugin) -> None:
        """Have pluggy check the hooks, and check what it lets pass: unknown hooks, and hooks without decorator."""
        name, known = getattr(plugin.module, "__name__", repr(plugin.module)), _hook_names()
        built_for = getattr(plugin.module, "TAIN_HOOK_API", hookspecs.HOOK_API)
        if built_for != hookspecs.HOOK_API:
            which = plugin.distribution if built_for < hookspecs.HOOK_API else "tain"
            raise LookupError(
                f"{name} was built for version {built_for} of tain's hooks, but this tain has version "
                f"{hookspecs.HOOK_API}. Upgrade {which}"
            )
        for other in self._plugins:
            if other.module is plugin.module and other is not plugin and other.status == "loaded":
                raise LookupError(f"{name} is already loaded, for {other.distribution}")
        for hook in known:
            if hasattr(plugin.module, hook) and not hasattr(getattr(plugin.module, hook), "tain_impl"):
                raise LookupError(f"'{hook}' in {name} lacks its decorator, @tain.hookimpl")
        plugin._manager.register(plugin.module)
        callers = plugin._manager.get_hookcallers(plugin.module) or []
        if not callers and not isinstance(plugin.module, ModuleType):
            raise TypeError(f"the entry point names {one_line(name)}, which is no module or object with hooks")
        for caller in callers:
            if not caller.has_spec() and not all(hook.optionalhook for hook in caller.get_hookimpls()):
                raise LookupError(f"'{caller.name}' is no hook of tain.{nearest(caller.name, known)}")

    def _ask(self, plugin: Plugin, hook: str, check: Callable[[list[Any]], None], **arguments: Any) -> list[Any]:
        """What one plugin's implementation of a hook returns, drained and checked inside the guard."""
        records: list[Any] = []
        start = time.perf_counter()
        try:
            for answer in getattr(plugin._manager.hook, hook)(**arguments):
                if not isinstance(answer, Iterable):
                    raise TypeError(f"returned {one_line(repr(answer))} instead of a list, or yielding")
                records.extend(answer)
            check(records)
        except (Exception, SystemExit) as cause:
            plugin.fail(cause, during=hook)
            records = []
        if self.trace:
            told = plugin.cause or f"{len(records)} records"
            milliseconds = 1e3 * (time.perf_counter() - start)
            print(f"tain: {plugin.name}.{hook}: {told} ({milliseconds:.1f} ms)", file=sys.stderr)
        return records


def _hook_names() -> list[str]:
    return [name for name in vars(hookspecs) if name.startswith("tain_")]


def _names(text: str) -> frozenset[str]:
    return frozenset(normal(name.strip()) for name in text.split(",") if name.strip())


def _origin(entry: EntryPoint) -> tuple[str, str]:
    """Distribution and version; a half-removed distribution may know neither, and Python's versions differ on that."""
    try:
        return normal(entry.dist.name), entry.dist.version or ""  # type: ignore[union-attr]  # None is told below
    except Exception:
        return "(unknown)", ""
