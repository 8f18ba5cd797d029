"""Settings that go together: those of the paper, and those that fit a laptop, by the name of the rule."""

from collections.abc import Mapping
from typing import Any

import attrs

from tain import Constraint, UnknownNameError, identify

__all__ = ["LAPTOP", "PAPER", "Recipe", "recipe"]

_NETWORKS_OF_THE_PAPER = {
    "inverse_map": "resnet",
    "unrolled_steps": 0,
    "width": 64,
    "blocks": 6,
    "forward_width": 32,
    "layers": 3,
    "strong_convexity": 0.9,
    "regularisation": 1e-3,
    "patch": 1,
    "standardised": False,
}


@attrs.frozen
class Recipe:
    """How to train a map, a generator of its images, and the map once more.

    Attributes:
        mirror: arguments of NeuralMirrorMap.
        learning_rate, batch, beta1: of Adam, for the map and for finetuning.
        map_epochs, generator_epochs, finetuning_epochs: passes over the data, 0 where `map_steps` tell instead.
        baseline_epochs: those of a generator of the data themselves, to compare with.
        map_steps, generator_steps, finetuning_steps: numbers of steps, 0 where epochs tell instead.
    """

    mirror: Mapping[str, Any] = attrs.field(factory=dict)
    learning_rate: float = 2e-4
    batch: int = 16
    beta1: float = 0.5
    map_epochs: int = 0
    generator_epochs: int = 0
    finetuning_epochs: int = 0
    baseline_epochs: int = 0
    map_steps: int = 0
    generator_steps: int = 0
    finetuning_steps: int = 0


def _paper(weight: float, sigma_max: float, epochs: tuple[int, int, int, int], **changes: Any) -> Recipe:
    rate = changes.pop("learning_rate", 2e-4)
    mirror = {**_NETWORKS_OF_THE_PAPER, "constraint_weight": weight, "sigma_max": sigma_max, **changes}
    return Recipe(mirror, rate, 16, 0.5, *epochs)


PAPER: Mapping[str, Recipe] = {
    "brightness": _paper(0.01, 0.1, (30, 200, 1000, 450)),
    "burgers": _paper(1.0, 0.1, (100, 300, 700, 1500)),
    "divergence-free": _paper(1.0, 0.5, (100, 700, 500, 2000), learning_rate=1e-3),
    "periodic": _paper(1.0, 0.1, (50, 300, 1000, 1000)),
    "count": _paper(0.01, 0.1, (50, 300, 700, 1500), layers=2),
    "": _paper(1.0, 0.1, (50, 300, 700, 1000)),
}
"""The hyperparameters of the paper (appendix A), by the name of the rule; "" is for any other rule.

Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
"""


def _laptop(weight: float, **changes: Any) -> Recipe:
    mirror = {"constraint_weight": weight, "sigma_max": 0.1, **changes}
    return Recipe(mirror, 2e-3, 32, 0.9, map_steps=300, generator_steps=4000, finetuning_steps=300)


LAPTOP: Mapping[str, Recipe] = {
    "brightness": _laptop(0.01),
    "burgers": _laptop(1.0),
    "divergence-free": _laptop(1.0, periodic=True),
    "periodic": _laptop(1.0, periodic=True),
    "count": _laptop(0.1, unrolled_steps=2),
    "": _laptop(1.0),
}
"""For 32 x 32 pixels: one or two minutes of one thread for a map. The rule's own step does most of the work, so that a
few hundred steps of training do; `plugins/namm/studies/rules.txt` has what they reach."""


def recipe(constraint: Constraint | str, recipes: Mapping[str, Recipe] = LAPTOP) -> Recipe:
    """The recipe of a rule, or that of any other rule if it has none of its own.

    Args:
        constraint: the rule, or the name that the catalogue has for it.
        recipes: LAPTOP or PAPER.

    Example:
        >>> recipe("divergence-free", PAPER).mirror["sigma_max"]
        0.5
        >>> recipe("no-such-rule") is LAPTOP[""]
        True
    """
    name = constraint if isinstance(constraint, str) else _name(constraint)
    return recipes.get(name, recipes[""])


def _name(constraint: Constraint) -> str:
    try:
        return identify(constraint).name
    except UnknownNameError:
        return ""
