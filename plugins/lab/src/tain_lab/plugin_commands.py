"""The subcommands about components and plugins: `show`, `plugins`, `new`."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tain_lab.application import app, console

__all__ = ["new", "plugins", "show"]


@app.command
def show(name: str | None = None) -> int:
    """Show what a component is and what it can be told, or list all components.

    Parameters
    ----------
    name
        Name of a constraint, mirror map, generator or solver.
    """
    from tain_lab.tell import tell_component, tell_components

    console().print(tell_components() if name is None else tell_component(name))
    return 0


@app.command
def plugins(
    *,
    available: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
    trace: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the installed plugins, what they provide, and why a broken one is broken.

    Parameters
    ----------
    available
        List those that are known but not installed instead, with the command that installs each.
    json_
        As JSON, for programs.
    trace
        Tell every call of a hook on the error stream: of which plugin, what came, how long it took.
    """
    from tain.catalogue import host
    from tain_lab.tell import available_records, plugin_records, tell_available, tell_plugins

    host().trace = host().trace or trace
    if json_:
        print(json.dumps(available_records() if available else plugin_records(), indent=2))
    else:
        console().print(tell_available() if available else tell_plugins())
    return 0


@app.command
def new(kind: str, name: str, *, output: Path = Path()) -> int:
    """Write a package for a component of your own: it installs, tain finds it, and its tests pass.

    Parameters
    ----------
    kind
        constraint, mirror-map, generator or solver.
    name
        Of the component: lower-case words joined by hyphens, such as unit-flux.
    output
        Folder that gets the package's folder, tain-NAME; by default the current one.
    """
    from tain_lab.scaffold import new_package

    folder = new_package(kind, name, output)
    print(f"{folder} is written. Next: cd {folder} && pip install -e '.[test]' && pytest")
    return 0
