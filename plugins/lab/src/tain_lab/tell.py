"""What the command prints of plugins, components and results, as tables for a terminal."""

import inspect
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tain import catalogue, entries, parameters
from tain.component import KINDS
from tain.errors import TainError, UnknownNameError, nearest
from tain.registry import registry
from tain_lab.evaluation import REAL, Evaluation

__all__ = [
    "available_records",
    "plugin_records",
    "tell_available",
    "tell_benches",
    "tell_component",
    "tell_components",
    "tell_evaluation",
    "tell_plugins",
]


def plugin_records() -> list[dict[str, Any]]:
    """The plugins as plain values: name, distribution, version, status, cause, fix, what they provide."""
    provided: dict[str, dict[str, list[str]]] = {}
    for entry in entries():  # asks every plugin, so that one that breaks only now is listed as broken
        provided.setdefault(entry.plugin.name, {}).setdefault(entry.kind, []).append(entry.name)
    return [
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "status": plugin.status,
            "cause": plugin.cause,
            "fix": plugin.fix,
            "provides": provided.get(plugin.name, {}),
        }
        for plugin in catalogue.host().plugins
    ]


def tell_plugins() -> RenderableType:
    """The installed plugins."""
    table = Table("plugin", "distribution", "status", "provides", title="Plugins", title_justify="left")
    records = plugin_records()
    for record in records:
        names = [name for kind in KINDS for name in record["provides"].get(kind, ())]
        table.add_row(
            record["name"],
            f"{record['distribution']} {record['version']}".strip(),
            record["status"],
            ", ".join(names) or "-",
        )
    broken = [
        f"{record['distribution']} is {record['status']} ({record['cause']}). {record['fix']}"
        for record in records
        if record["cause"]
    ]
    return Group(table, *broken, "Known but not installed: tain plugins --available")


def available_records() -> list[dict[str, Any]]:
    """The plugins of the registry that are not installed, as plain values, with the command that installs each."""
    installed = {plugin.distribution for plugin in catalogue.host().plugins}
    return [
        {
            "distribution": plugin.distribution,
            "tier": plugin.tier,
            "status": plugin.status,
            "summary": plugin.summary,
            "provides": {kind: list(names) for kind, names in plugin.provides.items()},
            "install": f"pip install {plugin.distribution}" if plugin.status == "available" else None,
        }
        for plugin in registry()
        if plugin.distribution not in installed
    ]


def tell_available() -> RenderableType:
    """The plugins of the registry that are not installed."""
    table = Table("distribution", "tier", "what it is", "install", title="Not installed", title_justify="left")
    for record in available_records():
        table.add_row(record["distribution"], record["tier"], record["summary"], record["install"] or record["status"])
    return table


def tell_components() -> RenderableType:
    """Every component, with its kind."""
    table = Table("kind", "name", "what it is", "distribution")
    for entry in entries():
        table.add_row(entry.kind, entry.name, entry.component.summary, entry.plugin.distribution)
    return table


def tell_benches() -> RenderableType:
    """Every bench, with its cases."""
    from tain_lab.bench.run import benches

    table = Table("bench", "what it measures", "cases")
    for bench in benches().values():
        table.add_row(bench.name, bench.summary, ", ".join(bench.cases))
    return table


def tell_component(name: str) -> RenderableType:
    """What a component is and what its constructor takes, for each kind that has one of that name.

    Raises:
        UnknownNameError: there is none; the message names the nearest ones and what to install.
    """
    parts: list[RenderableType] = []
    for kind in KINDS:
        if any(entry.name == name for entry in entries(kind)):
            parts += _tell_entry(catalogue.find(kind, name))
    if parts:
        return Group(*parts)
    for kind in KINDS:  # a kind whose registry knows the name has the better message
        try:
            catalogue.find(kind, name)
        except TainError as error:
            if "pip install" in str(error) or not isinstance(error, UnknownNameError):
                raise
    raise UnknownNameError(f"No plugin provides '{name}'.{nearest(name, [entry.name for entry in entries()])}")


def _tell_entry(entry: catalogue.Entry) -> list[RenderableType]:
    document = inspect.cleandoc(entry.target.__doc__ or entry.component.summary)
    text = document.split("\n\nArgs:")[0].split("\n\nExample:")[0]
    head = Text(f"{entry.kind} {entry.name}", style="bold")
    head.append(f"  ({entry.target.__name__}, {entry.plugin.distribution})", style="not bold")
    taken = parameters(entry.target)
    if not taken:
        return [head, text, "It takes no configuration.", ""]
    table = Table("key", "type", "default", "meaning")
    for parameter in taken:
        unit = f" [{parameter.field.unit}]" if parameter.field.unit else ""
        default = "required" if parameter.required else repr(parameter.default)
        table.add_row(parameter.name, parameter.type_name, default, parameter.field.help + unit)
    return [head, text, table, ""]


def tell_evaluation(evaluation: Evaluation) -> RenderableType:
    """The figures of a report that matter most."""
    candidates = list(evaluation.rule)
    table = Table("", *candidates, "real rows", title="Samples against held-out rows", title_justify="left")
    rule = evaluation.rule
    table.add_row("outside the set", *(f"{100 * rule[key]['outside']:.4g}%" for key in candidates), "")
    table.add_row("largest distance to it", *(f"{rule[key]['largest_distance']:.3g}" for key in candidates), "")
    for name, figure in evaluation.distances.items():
        cells = (f"{figure[key]['median']:.4f} ({evaluation.ratios[name][key]:.2f} x)" for key in candidates)
        table.add_row(name, *cells, f"{figure[REAL]['median']:.4f}")
    nearest_row = [f"{evaluation.nearest[key]:.3f}" for key in candidates]
    table.add_row("nearest training row", *nearest_row, f"{evaluation.nearest['held-out rows']:.3f}")
    return table
