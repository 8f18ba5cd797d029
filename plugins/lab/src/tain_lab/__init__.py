"""The laboratory of tain: the training loop, data files, metrics, reports and the `tain` command."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_lab.settings import Settings as Settings
    from tain_lab.training import fit as fit

__all__ = ["Settings", "fit"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tain_lab' has no attribute '{name}'")
    from tain_lab import settings, training

    return getattr(training if name == "fit" else settings, name)
