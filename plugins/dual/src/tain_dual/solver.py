"""The solver: trains a copy of the model by primal and dual steps, and says how each rule ended."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, final

import attrs
import torch
from torch import Tensor

from tain import Field, Fit, Problem, Solution, Solver
from tain.errors import ConfigurationError, TrainingError
from tain.randomness import generator as source
from tain_dual.lagrangian import Lagrangian
from tain_dual.measures import ReferenceName, outcomes_of, references_of
from tain_dual.multipliers import Multipliers, UpdateName
from tain_dual.problem import Prepared, prepared, require_fit, rules_of
from tain_dual.verdict import verdict
from tain_lab import Settings
from tain_lab.processes import joined
from tain_lab.training_loop import Task, checked_settings, run_task, state_path

__all__ = ["DualTraining"]


@final
class DualTraining(Solver):
    """Fits a model to data while it stays close to other data: min KL(data, model) with KL(set_i, model) <= budget_i.

    The generator's loss stands for the divergence, up to a constant of each set, its `reference`: the rule is
    loss(set_i) <= reference_i + budget_i. So budgets are in nats where the loss is -log p or a bound in nats, and else
    in the loss's own unit. Each step takes a batch of every set. Rules on expected statistics of samples come with a
    `RuledFit`. Where the fit has no rules it is plain training.

    The probe of a set is a copy of the model trained on that set alone, from where the model starts; few rows are
    learned by heart, and then the reference is too low: give one of your own, such as the loss of a model at hand.

    Sources:
        Constrained Diffusion Models via Dual Training, https://arxiv.org/abs/2408.15094
        On PI Controllers for Updating Lagrange Multipliers in Constrained Optimization,
        https://arxiv.org/abs/2406.04558

    Example:
        >>> import tain, torch
        >>> from tain.testing.gaussian import Gaussian
        >>> rng = torch.Generator().manual_seed(0)
        >>> here, there = torch.randn(1000, 1, generator=rng), 1 + torch.randn(1000, 1, generator=rng)
        >>> problem = tain.Fit(here, Gaussian((0.0,), (1.0,)), against=[there], budgets=[0.125])
        >>> solver = DualTraining(probe_steps=300)
        >>> solution = solver.solve(problem, Settings(steps=1500, learning_rate=0.02), rng=0)
        >>> solution.statistics["verdict"], solution.result.mean.item() > 0.3
        ('feasible', True)
    """

    accepts = Fit

    def __init__(
        self,
        update: Annotated[UpdateName, Field("dual step: damped, or plain ascent")] = "nupi",
        rate: Annotated[float, Field("dual step in multiplier per unit of loss", above=0)] = 1.0,
        every: Annotated[int, Field("training steps whose losses are averaged for a dual step", at_least=1)] = 10,
        warmup: Annotated[int, Field("training steps before the first dual step", at_least=0)] = 100,
        gain: Annotated[float, Field("damping of nupi: its proportional over its integral gain", at_least=0)] = 2.0,
        smoothing: Annotated[float, Field("decay of the mean that nupi damps by", at_least=0, below=1)] = 0.0,
        resilience: Annotated[
            float | None, Field("cost of the squared relaxation of a rule; no rule is relaxed without", above=0)
        ] = None,
        reference: Annotated[
            ReferenceName | tuple[float, ...],
            Field("loss of each set that stands for no divergence; by a probe training, or zero, or given"),
        ] = "probe",
        probe_steps: Annotated[int, Field("steps of each probe training", at_least=1)] = 1000,
        prepare: Annotated[bool, Field("whether the model takes scales from all sets; not to finetune a model")] = True,
        sample_every: Annotated[
            int, Field("training steps between looks at samples, for rules on them", at_least=1)
        ] = 5,
        tolerance: Annotated[float, Field("excess up to which a rule counts as kept", at_least=0)] = 0.01,
        steps: Annotated[int | None, Field("training steps, if other than in the settings", at_least=1)] = None,
    ):
        super().__init__()
        self.update: UpdateName = update
        self.rate, self.every, self.warmup, self.gain, self.smoothing = rate, every, warmup, gain, smoothing
        self.resilience, self.reference, self.probe_steps = resilience, reference, probe_steps
        self.takes_statistics, self.sample_every, self.tolerance = prepare, sample_every, tolerance
        self.steps = steps

    def solve(
        self,
        problem: Problem,
        settings: Settings | None = None,
        *,
        rng: torch.Generator | int | None = None,
        callback: Callable[[Mapping[str, Any]], None] | None = None,
        checkpoint: Path | str | None = None,
        progress: bool = False,
    ) -> Solution:
        """Fit a copy of the problem's model.

        Args:
            problem: a `tain.Fit`, or a `RuledFit`. A set may have fewer rows than a batch takes, the data not.
            settings: how to train; the defaults of `tain_lab.Settings` otherwise.
            rng: of batches and noise. Give an integer to resume, and the same one in each process.
            callback: called after each step with "step", "multipliers" and "excesses" (of the last dual step).
            checkpoint: file for the state of training, resumed from if it exists; those of probes stand beside it.
            progress: whether to show a progress bar, on a terminal.

        Returns:
            `result` is the fitted copy, in evaluation mode. `statistics` holds the "verdict": "feasible", "infeasible",
            "diverging" or "unfinished"; "rules", an `Outcome` each, measured on the result; the "losses" of all steps;
            and the history of the dual steps: the training "steps" after which they were taken (K,), "multipliers" and
            "slacks" (K, m), and "objectives", the loss on the data (K,). `message` says what it means.

        Raises:
            ConfigurationError, ShapeError, DataError, OutsideSetError, TrainingError, CheckpointError,
            MissingCapabilityError: as `tain_lab.fit` does, and where the problem cannot be meant.
        """
        problem = require_fit(problem)
        rules, sets = rules_of(problem), len(problem.against)
        self._require_reference(sets)
        settings, path = checked_settings(settings, self.steps), state_path(checkpoint)
        if sets or rules:
            self._require_dual_step(settings)
        settings.require_rows(len(problem.data))
        accelerator = joined(settings.batch)
        seed = int(torch.randint(2**62, (), generator=source(rng)))
        _require_same_seed(accelerator.gather(torch.tensor([seed], device=accelerator.device)).tolist())
        model = copy.deepcopy(problem.model)
        fit = prepared(problem, model, self.takes_statistics)
        label = "probe of set" if progress else None
        references = references_of(
            fit, self.reference, attrs.evolve(settings, steps=self.probe_steps), seed, path, label
        )
        model.to(accelerator.device)
        limits = [reference + budget for reference, budget in zip(references, problem.budgets, strict=True)]
        lagrangian = Lagrangian(
            fit.generator,
            Multipliers(
                (*(False,) * sets, *(rule.sense == "equal" for rule in rules)),
                update=self.update,
                rate=self.rate,
                gain=self.gain,
                smoothing=self.smoothing,
                resilience=self.resilience,
                steps=settings.steps // self.every,
            ),
            torch.tensor([*limits, *(0.0 for _ in rules)]),
            rules=rules,
            samples=fit.samples,
            settings=settings,
            every=self.every,
            warmup=self.warmup,
            sample_every=self.sample_every,
            total=lambda figures: accelerator.reduce(figures, "sum"),
        )
        multipliers = lagrangian.multipliers

        def tell(step: int) -> None:
            if callback is not None:
                excesses = multipliers.excesses[max(0, int(multipliers.taken) - 1)]
                callback(
                    {"step": step, "multipliers": multipliers.value.tolist(), "excesses": excesses.tolist()},
                )

        told = [(rule.name, rule.value, rule.sense, rule.estimator) for rule in rules]
        task = Task(
            module=lagrangian,
            weights=[weight for weight in fit.generator.parameters() if weight.requires_grad],
            groups=[(fit.data,), *((rows,) for rows in fit.against)],
            settings=settings,
            seed=seed,
            owner=type(fit.generator).__name__,
            path=path,
            label="dual training" if progress else None,
            after_step=tell,
            further=repr((self._dual_settings(), [float(budget) for budget in problem.budgets], told)),
        )
        try:
            losses = run_task(task, accelerator)
        finally:
            model.eval()
        return self._solution(problem, model, fit, lagrangian, limits, losses, seed)

    def _dual_settings(self) -> tuple[Any, ...]:
        return (
            *(self.update, self.rate, self.every, self.warmup, self.gain, self.smoothing, self.resilience),
            *(self.reference, self.probe_steps, self.sample_every),
        )

    def _require_reference(self, sets: int) -> None:
        if not isinstance(self.reference, str) and len(self.reference) != sets:
            raise ConfigurationError(
                f"DualTraining: 'reference' has {len(self.reference)} losses, but must have {sets}, one for each set "
                "of `against`."
            )

    def _require_dual_step(self, settings: Settings) -> None:
        if self.warmup + self.every > settings.steps:
            raise ConfigurationError(
                f"DualTraining: 'warmup' {self.warmup} and 'every' {self.every} leave no dual step in {settings.steps} "
                "training steps. Take more steps, or lower them."
            )

    def _solution(
        self,
        problem: Fit,
        model: torch.nn.Module,
        fit: Prepared,
        lagrangian: Lagrangian,
        limits: list[float],
        losses: list[float],
        seed: int,
    ) -> Solution:
        multipliers = lagrangian.multipliers
        outcomes = outcomes_of(fit, rules_of(problem), limits, multipliers, seed)
        excesses = multipliers.excesses.cpu() - _relaxations(multipliers)
        status, message = verdict(outcomes, excesses, self.tolerance)
        statistics = {
            "verdict": status,
            "rules": outcomes,
            "losses": losses,
            "steps": torch.arange(1, len(excesses) + 1) * self.every,
            "multipliers": multipliers.values.cpu(),
            "slacks": -excesses,
            "objectives": lagrangian.objectives.cpu(),
        }
        return Solution(model, statistics, message)


def _relaxations(multipliers: Multipliers) -> Tensor:
    """By how much each rule was relaxed at each dual step, (K, m)."""
    before = torch.cat((torch.zeros_like(multipliers.values[:1]), multipliers.values[:-1])).cpu()
    return torch.zeros_like(before) if multipliers.resilience is None else before / (2 * multipliers.resilience)


def _require_same_seed(seeds: list[int]) -> None:
    if len(set(seeds)) > 1:
        raise TrainingError("DualTraining: the processes have different seeds. Give each the same integer as `rng`.")
