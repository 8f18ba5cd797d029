"""What a generator's loss is on a set, and what it would be if the generator had learned nothing else."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tain import Generator
from tain_dual.estimators import statistics_of
from tain_dual.expectations import Expectation
from tain_dual.multipliers import Multipliers
from tain_dual.problem import Prepared
from tain_dual.verdict import Outcome
from tain_lab import Settings
from tain_lab.randomness import stream
from tain_lab.training_loop import Task, run_task

__all__ = ["ReferenceName", "expected", "mean_loss", "outcomes_of", "references_of"]

ReferenceName = Literal["probe", "zero"]

_FEWEST, _MOST, _SAMPLES, _ROWS = 4096, 32768, 2000, 256  # losses of a set, samples of a model, and either at once


@torch.no_grad()
def mean_loss(generator: Generator, rows: Tensor, seed: int, which: int) -> float:
    """The mean loss on a set: rows fewer than 4096 are taken several times, of more than 32768 some at random.

    The same seed and number of the set give the same rows and draws, so that losses of two models can be compared.
    """
    weight = next(generator.parameters())
    order = torch.cat([torch.randperm(len(rows), generator=stream(seed, "rows", which))] * -(-_FEWEST // len(rows)))
    noise = stream(seed, "measure", which)
    losses = [
        generator.loss(rows[part].to(weight.device, weight.dtype), rng=noise) for part in order[:_MOST].split(_ROWS)
    ]
    return float(torch.cat(losses).double().mean())


@torch.no_grad()
def expected(problem: Prepared, rule: Expectation, seed: int) -> float:
    """The mean of a rule's statistic over 2000 samples of the generator."""
    x = problem.samples(problem.generator.sample(_SAMPLES, rng=stream(seed, "samples")))
    return float(torch.cat([statistics_of(rule, part).double() for part in x.split(_ROWS)]).mean())


def references_of(
    problem: Prepared,
    reference: ReferenceName | tuple[float, ...],
    settings: Settings,
    seed: int,
    checkpoint: Path | None,
    label: str | None,
) -> list[float]:
    """The loss of each of the other sets that stands for no divergence: given, or zero, or that of a probe.

    Args:
        problem: whose generator a probe is a copy of.
        reference: how it is found, or the losses.
        settings, seed: of the probes.
        checkpoint: of the training; those of the probes stand beside it.
        label: what the progress bars of the probes say, before the number of the set; None for no bar.
    """
    if reference == "zero":
        return [0.0 for _ in problem.against]
    if reference != "probe":
        return list(reference)
    found = []
    for which in range(len(problem.against)):
        path = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.probe-{which}")
        told = None if label is None else f"{label} {which}"
        found.append(_probe(problem, which, settings, seed, path, told))
    return found


def outcomes_of(
    problem: Prepared, rules: Sequence[Expectation], limits: Sequence[float], multipliers: Multipliers, seed: int
) -> list[Outcome]:
    """How each set and rule ended, measured on the generator as it is."""
    relaxations, values = multipliers.relaxation.tolist(), multipliers.value.tolist()
    ends = []
    for which, (limit, rows) in enumerate(zip(limits, problem.against, strict=True)):
        found = mean_loss(problem.generator, rows, seed, which)
        ends.append((f"against[{which}]", found, limit, found - limit, False))
    for rule in rules:
        found = expected(problem, rule, seed)
        ends.append((rule.name, found, rule.value, rule.sign * (found - rule.value), rule.sense == "equal"))
    return [
        Outcome(name, found, limit, excess, relaxation, value, equality)
        for (name, found, limit, excess, equality), relaxation, value in zip(ends, relaxations, values, strict=True)
    ]


def _probe(
    problem: Prepared, which: int, settings: Settings, seed: int, checkpoint: Path | None, label: str | None
) -> float:
    """The loss that a copy of the generator reaches on one of the other sets, trained on nothing else."""
    model, rows = copy.deepcopy(problem.generator), problem.against[which]
    task = Task(
        module=model,
        weights=[weight for weight in model.parameters() if weight.requires_grad],
        groups=[(rows,)],
        settings=settings,
        seed=seed,
        owner=f"{type(model).__name__}, the probe of against[{which}],",
        path=checkpoint,
        label=label,
    )
    run_task(task)
    return mean_loss(model, rows, seed, which)
