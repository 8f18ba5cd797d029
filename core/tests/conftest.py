"""Every test of the core sees the core alone, whatever else is installed, and may install plugins of its own."""

import importlib.metadata
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tain import catalogue, plugins


class Site:
    """A folder of truly installed distributions: modules beside their dist-info folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, distribution: str, source: str | None, *, entry: str | None = None, version: str = "1.0") -> None:
        """Install a distribution with one module, named after it, and one entry point to that module.

        Args:
            source: of the module; None for none at all.
            entry: what the entry point names, by default the module.
        """
        module = distribution.replace("-", "_")
        if source is not None:
            (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[tain]\n{distribution.removeprefix('tain-')} = {entry or module}\n")

    def entry_points(self, group: str) -> list[importlib.metadata.EntryPoint]:
        found = importlib.metadata.distributions(path=[str(self.folder)])
        return [entry for distribution in found for entry in distribution.entry_points.select(group=group)]


@pytest.fixture(autouse=True)
def core_alone() -> Iterator[None]:
    """A catalogue of the core's own components."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "entry_points", lambda group: [])
        patch.delenv("TAIN_BLOCK", raising=False)
        patch.delenv("TAIN_PREFER", raising=False)
        catalogue.host.cache_clear()
        yield
    catalogue.host.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A catalogue of the core and of what the test installs, before it first asks for something."""
    for name in [name for name in sys.modules if name.startswith("tain_")]:
        monkeypatch.delitem(sys.modules, name)  # a true plugin of that name may be imported already
    before = set(sys.modules)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    made = Site(folder)
    monkeypatch.setattr(plugins, "entry_points", made.entry_points)
    yield made
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]
