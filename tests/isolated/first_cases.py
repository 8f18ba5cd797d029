"""A plugin of pytest: of each test function only its first case is run."""

from typing import Any

__all__ = ["pytest_collection_modifyitems"]


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep the first case of each function."""
    first: dict[str, Any] = {}
    for item in items:
        first.setdefault(item.nodeid.partition("[")[0], item)
    config.hook.pytest_deselected(items=[item for item in items if item is not first[item.nodeid.partition("[")[0]]])
    items[:] = first.values()
