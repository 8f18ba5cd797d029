"""Plugins of one file: hooks or decorators in a script, before there is a package."""

import importlib.util
import sys
from pathlib import Path

from tain.catalogue import host
from tain.errors import ConfigurationError, one_line
from tain.plugin_record import Plugin
from tain.plugins import PROGRAM

__all__ = ["load_plugin"]


def load_plugin(path: str | Path) -> None:
    """Run a Python file, and add the components that it provides by hooks, or registers, as by `tain.constraint`.

    The command's option `--plugin FILE` does this. The file is run as any program is: load only what you trust.

    Args:
        path: a file that ends in .py.

    Raises:
        ConfigurationError: there is no such file, it fails, its hooks are wrong, or it provides nothing.

    Example:
        >>> import pathlib, tempfile, tain
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "rules.py"
        >>> _ = file.write_text('''
        ... import tain
        ... @tain.constraint("balanced", event_ndim=1)
        ... def balanced(x):
        ...     return x.sum(-1).abs()
        ... ''')
        >>> tain.load_plugin(file)
        >>> tain.create("constraint", "balanced").event_ndim
        1
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        raise ConfigurationError(f"The plugin '{path}' is no file that ends in .py. Give the path of a Python file.")
    name = f"tain_one_off_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = _registered()
    sys.modules[name] = module  # where its classes say that they are from
    try:
        spec.loader.exec_module(module)
        if any(hasattr(value, "tain_impl") for value in vars(module).values()):
            host().add(Plugin(path.name, str(path), "", module=module))
        elif _registered() == before:
            raise LookupError("it has neither hooks (@tain.hookimpl) nor registers a component (@tain.constraint)")
    except (Exception, SystemExit) as cause:
        del sys.modules[name]
        told = f"{type(cause).__name__}: {one_line(str(cause), 300)}"
        raise ConfigurationError(f"The plugin '{path}' cannot be used: {told}. Correct the file.") from cause


def _registered() -> list[object]:
    """The components that this program has registered so far."""
    programs = [plugin for plugin in host().plugins if plugin.name == PROGRAM]
    return [component for plugin in programs for kind in plugin._components for component in plugin.provided(kind)]
