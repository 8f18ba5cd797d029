"""Simulators of the data of the five rules: rows that are independent of each other, the same for the same seed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_science.data.burgers import BurgersTrajectories as BurgersTrajectories
    from tain_science.data.cells import PeriodicCells as PeriodicCells
    from tain_science.data.counting import train_counter as train_counter
    from tain_science.data.crescents import Crescents as Crescents
    from tain_science.data.galaxies import RadioGalaxies as RadioGalaxies
    from tain_science.data.kolmogorov import KolmogorovFlow as KolmogorovFlow
    from tain_science.data.simulator import Simulator as Simulator

_MODULES = {
    "BurgersTrajectories": "burgers",
    "Crescents": "crescents",
    "KolmogorovFlow": "kolmogorov",
    "PeriodicCells": "cells",
    "RadioGalaxies": "galaxies",
    "Simulator": "simulator",
    "train_counter": "counting",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_science.data' has no attribute '{name}'")
    return getattr(import_module(f"tain_science.data.{_MODULES[name]}"), name)
