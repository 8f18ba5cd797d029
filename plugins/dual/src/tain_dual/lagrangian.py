"""The primal step's objective: the loss of the data plus the multipliers times those of the other sets.

    L = (loss(data) + sum_i lambda_i loss(set_i) + sum_j lambda_j statistic_j) / (1 + sum_i lambda_i)   (5)

The division changes no minimum for given multipliers; it keeps the gradient as long as that of one loss, so that
learning rates and clipping need no change as multipliers grow. By the paper's theorem, the model of unlimited capacity
that minimises it has the density (p + sum_i lambda_i p_i) / (1 + sum_i lambda_i).
"""

import math
from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from tain import Generator
from tain_dual.estimators import ESTIMATORS
from tain_dual.expectations import Expectation
from tain_dual.multipliers import Multipliers
from tain_lab import Settings

__all__ = ["Lagrangian"]


@final
class Lagrangian(nn.Module):
    """Calling it with a batch of each set gives the objective, row by row; on the way it takes the dual steps.

    Everything that changes is a buffer, so the state of training holds it, and a stopped training goes on to the bit.

    Args:
        generator: what is trained.
        multipliers: those of the sets, then those of the rules.
        limits: the largest loss of each set, then 0 for each rule.
        rules: on expected statistics of samples.
        samples: brings back what the generator draws to where statistics are taken.
        settings: of the training; the dual rate follows its learning rate.
        every: training steps between two dual steps.
        warmup: training steps before the first dual step.
        sample_every: training steps between two looks at samples.
        total: the sum of a tensor over the processes.
    """

    limits: Tensor
    done: Tensor
    objectives: Tensor
    _objective: Tensor

    def __init__(
        self,
        generator: Generator,
        multipliers: Multipliers,
        limits: Tensor,
        *,
        rules: Sequence[Expectation],
        samples: Callable[[Tensor], Tensor],
        settings: Settings,
        every: int,
        warmup: int,
        sample_every: int,
        total: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.generator, self.multipliers = generator, multipliers
        self.register_buffer("limits", limits)
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))
        self.register_buffer("objectives", torch.full((len(multipliers.values),), torch.nan))
        self.register_buffer("_objective", torch.zeros(()))
        self._rules, self._samples, self._settings, self._total = tuple(rules), samples, settings, total
        self._every, self._warmup, self._sample_every = every, warmup, sample_every

    def forward(self, y: Tensor, rng: torch.Generator, *others: Tensor) -> Tensor:
        step = int(self.done)
        losses = [self.generator(rows, rng) for rows in (y, *others)]
        weights = self.multipliers.value.clone().unbind()  # the dual step below changes the buffer in place
        objective = losses[0]
        for weight, loss in zip(weights, losses[1:], strict=False):
            objective = objective + weight * loss
        figures = [loss.detach() for loss in losses]
        looked = step % self._sample_every == 0
        for weight, rule in zip(weights[len(others) :], self._rules, strict=True):
            if looked:
                found, term = ESTIMATORS[rule.estimator](self.generator, self._samples, rule, len(y), rng)
                objective = objective + self._sample_every * weight * term
                figures.append(rule.excess(found))
        self._note(step, figures)
        return objective / (1 + sum(weights[: len(others)]))

    @torch.no_grad()
    def _note(self, step: int, figures: list[Tensor]) -> None:
        """Take what this step tells of each set and rule, (B,) each, and the dual step if it is time."""
        means = self._total(torch.stack([rows.sum() for rows in figures]).float()) / self._settings.batch
        unseen = torch.full((len(self.limits) + 1 - len(means),), math.nan, device=means.device)
        self.multipliers.note(torch.cat((means[1:], unseen)) - self.limits)
        self._objective += means[0] / self._every
        self.done += 1
        if int(self.done) % self._every == 0:
            self.objectives[self.multipliers.taken] = self._objective
            self._objective.zero_()
            started = step >= self._warmup
            self.multipliers.step(self._settings.rate(step) / self._settings.learning_rate if started else 0.0)
