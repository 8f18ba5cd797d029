"""The examples in a package's docstrings and in its README, for tests that they run."""

import doctest
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = ["check_docstrings", "modules_of", "python_blocks"]


def modules_of(package: ModuleType) -> list[str]:
    """The names of all modules of a package and of the packages in it.

    >>> import tain.testing
    >>> "tain.testing.documents" in modules_of(tain.testing)
    True
    """
    return [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def check_docstrings(module: str) -> None:
    """Run the examples in the docstrings of a module. An ellipsis stands for anything.

    Raises:
        AssertionError: one gives something else than it says, which is printed.
    """
    failed = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS).failed
    if failed:
        raise AssertionError(f"{module}: {failed} of the examples in its docstrings fail.")


def python_blocks(document: Path) -> list[str]:
    """The blocks of Python in a Markdown file.

    Raises:
        AssertionError: it has none.
    """
    blocks = re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    if not blocks:
        raise AssertionError(f"{document}: has no block of Python.")
    return blocks
