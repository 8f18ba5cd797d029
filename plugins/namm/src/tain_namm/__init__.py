"""Neural approximate mirror maps for tain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_namm.input_convex import InputConvexGradient as InputConvexGradient
    from tain_namm.mirror import NeuralMirrorMap as NeuralMirrorMap
    from tain_namm.recipes import (
        LAPTOP as LAPTOP,
        PAPER as PAPER,
        Recipe as Recipe,
        recipe as recipe,
    )

__all__ = ["LAPTOP", "PAPER", "InputConvexGradient", "NeuralMirrorMap", "Recipe", "recipe"]

_HOME = {"input_convex": "InputConvexGradient", "mirror": "NeuralMirrorMap", "recipes": "LAPTOP PAPER Recipe recipe"}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain_namm' has no attribute '{name}'")
    return getattr(import_module(f"tain_namm.{_MODULE_OF[name]}"), name)
