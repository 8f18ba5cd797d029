"""The rules of the bench namm: those of the paper's experiments, at a size that fits a laptop."""

import math
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import attrs
from torch import Tensor

import tain
from tain import Constraint, Learned, MirrorMap, Projectable, Residual
from tain.errors import DataError, UnknownNameError
from tain_lab.datasets import create_dataset

__all__ = ["HELD_OUT", "RULES", "Goal", "RuleCase", "exact_map", "mean_square", "require_installed"]

HELD_OUT = 1000
"""Rows that samples are compared with."""

_SPARE = 1.02  # rows simulated for each that is needed, of those that have to be brought onto the set


@attrs.frozen
class Goal:
    """What is to be reached, in percent of the baseline's mean distance: the paper's figure, and ours once refined."""

    finetuned: float
    refined: float


@attrs.frozen
class RuleCase:
    """A rule with its data.

    Attributes:
        simulator: name of the data set in the catalogue.
        options: of the simulator, for images of a side of so many pixels.
        goal: improvements to reach.
        training_rows: that all models are trained on.
        periodic: whether images go on beyond their edges, as generators are then told.
        moved: whether data are moved onto the set, since a simulator cannot hit what the rule asks for exactly.
        unit: what distances count as large or small against, from the rule and the data.
        residual: the size of the residual at each pixel, (B, C, H, W) to (B, h, w), of a rule that has one there.
    """

    simulator: str
    options: Callable[[int], Mapping[str, Any]] = attrs.field(repr=False)
    goal: Goal
    training_rows: int = 4000
    periodic: bool = False
    moved: bool = False
    unit: Callable[[Any, Tensor], float] = lambda rule, data: mean_square(data)
    residual: Callable[[Any, Tensor], Tensor] | None = attrs.field(default=None, repr=False)

    def simulated(self, size: int, rows: int, seed: int) -> tuple[Constraint, Tensor, float]:
        """The rule, `rows` rows (N, C, H, W) that keep it, and by how much they were moved for that.

        The last is a root mean square over all numbers, 0 if nothing was moved.

        Raises:
            DataError: too many rows could not be moved onto the set.
        """
        simulator: Any = create_dataset(self.simulator, self.options(size))
        rule: Constraint = simulator.constraint
        if not self.moved:
            return rule, simulator.simulate(rows, rng=seed), 0.0
        drawn: Tensor = simulator.simulate(math.ceil(_SPARE * rows), rng=seed)
        on_set = tain.refine(rule, drawn, steps=30)
        arrived = rule.contains(on_set).nonzero().flatten()[:rows]
        if len(arrived) < rows:
            raise DataError(
                f"Of {len(drawn)} rows of '{self.simulator}' only {len(arrived)} could be moved onto the set of its "
                f"rule, but {rows} are needed. Give another --seed."
            )
        return rule, on_set[arrived], mean_square(on_set[arrived] - drawn[arrived])


def exact_map(rule: Constraint, event_shape: tuple[int, ...]) -> MirrorMap | None:
    """The best map that needs no training, or None."""
    found = tain.offers(rule, event_shape=event_shape)
    return next((m for m in found if not any(isinstance(part, Learned) for part in m.modules())), None)


def require_installed(bench: str, *distributions: str) -> None:
    """Refuse to begin without what a bench needs.

    Raises:
        UnknownNameError: names what to install.

    >>> require_installed("namm", "torch", "tain-nowhere")
    Traceback (most recent call last):
        ...
    tain.errors.UnknownNameError: The bench 'namm' needs tain-nowhere, which is not installed: pip install tain-nowhere.
    """
    missing = []
    for name in distributions:
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        told = f"{' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UnknownNameError(f"The bench '{bench}' needs {told}: pip install {' '.join(missing)}.")


def mean_square(x: Tensor) -> float:
    """The root of the mean square of all numbers.

    >>> import torch
    >>> mean_square(torch.tensor([3.0, -3.0]))
    3.0
    """
    return float(x.double().square().mean().sqrt())


def _of_trajectories(rule: Residual, x: Tensor) -> Tensor:
    """What each snapshot but the first is off by: time down, space across."""
    return rule.residual(x).view(len(x), -1, x.shape[-1]).abs()


def _of_flows(rule: Residual, x: Tensor) -> Tensor:
    """The divergence of the first snapshot."""
    return rule.residual(x).view(len(x), -1, *x.shape[2:])[:, 0].abs()


def _of_tilings(rule: Projectable, x: Tensor) -> Tensor:
    """How far each pixel is from the mean of those that should equal it."""
    return (x - rule.project(x)).abs().mean(1)


RULES: dict[str, RuleCase] = {
    "brightness": RuleCase(
        simulator="crescents",
        options=lambda size: {"size": size, "total": 120.0},
        goal=Goal(78, 99),
        unit=lambda rule, data: float(rule.total),
    ),
    "burgers": RuleCase(
        simulator="burgers-trajectories",
        options=lambda size: {"points": size, "snapshots": size, "viscosity": 0.5},
        goal=Goal(91, 97),
        residual=_of_trajectories,
    ),
    "divergence-free": RuleCase(
        simulator="kolmogorov-flow",
        options=lambda size: {"size": size, "snapshots": 8},
        goal=Goal(77, 99),
        training_rows=2000,  # each takes a tenth of a second
        periodic=True,
        residual=_of_flows,
    ),
    "periodic": RuleCase(
        simulator="periodic-cells",
        options=lambda size: {"cell": size // 2, "tiles": (2, 2)},
        goal=Goal(96, 99),
        periodic=True,
        residual=_of_tilings,
    ),
    "count": RuleCase(
        simulator="radio-galaxies",
        options=lambda size: {"size": size, "sources": (8, 8)},
        goal=Goal(38, 75),
        moved=True,
    ),
}
"""The rules by name, in the order of the paper."""
