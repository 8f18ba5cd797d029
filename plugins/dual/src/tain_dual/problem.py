"""What a fit asks for, looked through before anything is computed, and carried to where its generator lives."""

import math
from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from tain import Fit, Generator, Mirrored, MirrorMap, Problem
from tain.errors import ConfigurationError, DataError, ShapeError, TrainingError
from tain_dual.expectations import Expectation, RuledFit
from tain_lab.training_data import mirror_images, require_data

__all__ = ["Prepared", "prepared", "require_fit", "rules_of"]


@attrs.frozen(eq=False)
class Prepared:
    """A fit in the space of the generator behind all fixed mirror maps.

    Attributes:
        generator: what is trained.
        data, against: images of the data and of the other sets, (N, *event_shape) each.
        mirrors: the maps from outside to inside, that samples are brought back by.
    """

    generator: Generator
    data: Tensor
    against: tuple[Tensor, ...]
    mirrors: tuple[MirrorMap, ...]

    def samples(self, y: Tensor) -> Tensor:
        """What the model's samples are, of which the generator drew y."""
        for mirror in reversed(self.mirrors):
            y = mirror.inverse(y)
        return y


def rules_of(problem: Fit) -> tuple[Expectation, ...]:
    """Its rules on expected statistics of samples."""
    return tuple(problem.rules) if isinstance(problem, RuledFit) else ()


def require_fit(problem: Problem) -> Fit:
    """The problem, if it is a fit that can be meant.

    Raises:
        ConfigurationError: it is no fit, the model is no generator, there is not one budget a set, a budget is negative
            or not finite, or the value of a rule is not finite.
        ShapeError, DataError: a set of data is empty or not the model's.
        TrainingError: the model has nothing to train.
    """
    if not isinstance(problem, Fit):
        raise ConfigurationError(f"DualTraining: the problem is a {type(problem).__name__}, but must be a tain.Fit.")
    model = problem.model
    if not isinstance(model, Generator):
        raise ConfigurationError(
            f"Fit: the model is a {type(model).__name__}, but must be a tain.Generator, whose `loss` gives one number "
            "a sample."
        )
    if len(problem.against) != len(problem.budgets):
        raise ConfigurationError(
            f"Fit: there are {len(problem.against)} data sets in `against` and {len(problem.budgets)} in `budgets`, "
            "but each set needs one budget."
        )
    for index, budget in enumerate(problem.budgets):
        if not 0 <= budget < math.inf:
            raise ConfigurationError(
                f"Fit: budgets[{index}] is {budget}, but must be a finite number, at least 0: a divergence is never "
                "negative. For a limit on a loss that may be, give it as `reference` of DualTraining, and the budget 0."
            )
    shape = tuple(model.event_shape)
    for name, rows in (("data", problem.data), *((f"against[{i}]", rows) for i, rows in enumerate(problem.against))):
        if rows.ndim > 0 and len(rows) == 0:
            raise DataError(f"Fit: {name} has no rows, but must have at least 1. Leave out a set that is empty.")
        require_data(rows, shape, what=name)
    for rule in rules_of(problem):
        if not math.isfinite(rule.value):
            raise ConfigurationError(f"Fit: the value of the rule '{rule.name}' is {rule.value}, but must be finite.")
    if not any(weight.requires_grad for weight in model.parameters()):
        raise TrainingError(f"Fit: {type(model).__name__} has no weight that may change. There is nothing to train.")
    return problem


def prepared(problem: Fit, model: Generator, take_statistics: bool) -> Prepared:
    """The fit of `model`, a copy of the problem's, in the space of the generator behind its fixed mirror maps.

    Args:
        take_statistics: whether the generator takes from all sets together what it needs, such as their scale.

    Raises:
        OutsideSetError: a sample is outside of the set of a mirror map.
        ShapeError: the loss is not one number a sample.
    """
    dtype = next(weight.dtype for weight in model.parameters() if weight.requires_grad)
    sets, mirrors, generator = [problem.data, *problem.against], [], model.eval()
    while isinstance(generator, Mirrored) and not any(w.requires_grad for w in generator.mirror.parameters()):
        sets = [mirror_images(generator.mirror, rows, dtype) for rows in sets]
        mirrors.append(generator.mirror)
        generator = generator.generator
    sets = [rows.detach() for rows in sets]
    if take_statistics:
        generator.prepare(torch.cat(sets) if len(sets) > 1 else sets[0])
    _require_loss_a_row(generator, sets[0][:2].to(dtype))
    return Prepared(generator, sets[0], tuple(sets[1:]), tuple(mirrors))


@torch.no_grad()
def _require_loss_a_row(generator: Generator, rows: Tensor) -> None:
    losses: Callable[..., Tensor] | Tensor = generator(rows, torch.Generator().manual_seed(0))
    shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
    if shape != (len(rows),):
        raise ShapeError(
            f"Fit: the loss of {type(generator).__name__} has shape {shape} for {len(rows)} samples, but must have "
            f"({len(rows)},): one number a sample."
        )
