"""Dual training for tain: models that must also stay close to other data, or keep a rule on average."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_dual.expectations import Expectation as Expectation, RuledFit as RuledFit, share_of as share_of
    from tain_dual.multipliers import Multipliers as Multipliers
    from tain_dual.pictures import draw_histories as draw_histories
    from tain_dual.solver import DualTraining as DualTraining

__all__ = ["DualTraining", "Expectation", "Multipliers", "RuledFit", "draw_histories", "share_of"]

_MODULES = {
    "DualTraining": "solver",
    "Expectation": "expectations",
    "Multipliers": "multipliers",
    "RuledFit": "expectations",
    "draw_histories": "pictures",
    "share_of": "expectations",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_dual' has no attribute '{name}'")
    return getattr(import_module(f"tain_dual.{_MODULES[name]}"), name)
