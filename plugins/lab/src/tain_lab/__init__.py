"""The laboratory of tain: the training loop, data files, metrics, reports and the `tain` command."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_lab.finetuning import finetune as finetune
    from tain_lab.settings import Settings as Settings
    from tain_lab.training import fit as fit

__all__ = ["Settings", "finetune", "fit"]

_HOMES = {"Settings": "settings", "finetune": "finetuning", "fit": "training"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tain_lab' has no attribute '{name}'")
    return getattr(importlib.import_module(f"tain_lab.{_HOMES[name]}"), name)
