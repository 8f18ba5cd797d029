"""tain-science: rules of physics and astronomy, and their exact mirror maps where there are any.

`Brightness`, `Burgers`, `DivergenceFree` and `Periodic` have exact maps, which `tain.mirror_for` finds; `Count` has
none. `Evolving` and `Dynamics` make a rule, with an exact map, of any solver. `tain_science.data` simulates data that
obey the rules.

Names are loaded when first used, so that `import tain_science` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_science.brightness import Brightness as Brightness
    from tain_science.brightness_entropy import BrightnessEntropy as BrightnessEntropy
    from tain_science.brightness_softmax import BrightnessSoftmax as BrightnessSoftmax
    from tain_science.burgers import Burgers as Burgers
    from tain_science.count import Count as Count
    from tain_science.counting_network import CountingNetwork as CountingNetwork
    from tain_science.divergence_free import DivergenceFree as DivergenceFree
    from tain_science.dynamics import Dynamics as Dynamics
    from tain_science.evolution import Evolution as Evolution
    from tain_science.evolving import Evolving as Evolving
    from tain_science.periodic import Periodic as Periodic
    from tain_science.tile import Tile as Tile

_HOME = {
    "brightness": "Brightness",
    "brightness_entropy": "BrightnessEntropy",
    "brightness_softmax": "BrightnessSoftmax",
    "burgers": "Burgers",
    "count": "Count",
    "counting_network": "CountingNetwork",
    "divergence_free": "DivergenceFree",
    "dynamics": "Dynamics",
    "evolution": "Evolution",
    "evolving": "Evolving",
    "periodic": "Periodic",
    "tile": "Tile",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain_science' has no attribute '{name}'")
    value = getattr(import_module(f"tain_science.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
