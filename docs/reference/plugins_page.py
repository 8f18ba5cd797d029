"""Writes docs/reference/plugins.md from registry.toml. Run: python docs/reference/plugins_page.py"""

from pathlib import Path

from tain.component import KINDS
from tain.registry import registry

PAGE = Path(__file__).with_name("plugins.md")
HEAD = """# Plugins

Every plugin that is known, from [`registry.toml`](../../registry.toml). *Official* ones are of this repository,
*community* ones are kept by others; a *planned* one cannot be installed yet. `tain plugins` lists those that are
installed, `tain show NAME` tells of a component. How to be listed: [publish a plugin](../how-to/publish-a-plugin.md).
`python docs/reference/plugins_page.py` writes this page, and a test compares the two.

| distribution | status | tier | what it is | provides |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page for the registry as it is."""
    rows = []
    for plugin in registry():
        name = f"[{plugin.distribution}](../../{plugin.folder}/README.md)"
        linked = name if plugin.folder and plugin.status == "available" else plugin.distribution
        kinds = [f"{kind}: {', '.join(plugin.provides[kind])}" for kind in KINDS if kind in plugin.provides]
        cells = (linked, plugin.status, plugin.tier, plugin.summary, "; ".join(kinds))
        rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
