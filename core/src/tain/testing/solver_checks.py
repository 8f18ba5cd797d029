"""Checks of solvers, on problems whose answers are known.

The posterior: x is normal with means m and deviations s, and y = A x + noise. Then x given y is normal too, with
precision 1 / s^2 + A'A / noise^2.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tain.solvers import Fit, Posterior, Problem, Solution, Solver, Target
from tain.testing.checks import check
from tain.testing.compare import at_most, finite, rows_of, same
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial

__all__: list[str] = []

_MEAN, _STD, _NOISE, _ROWS = (0.5, -0.5), (1.0, 2.0), 0.5, 512
_MATRIX, _MEASURED = ((1.0, 0.5),), 2.0


@check(Solver, once=True)
def gaussian_posterior(solver: Solver, trial: Trial) -> None:
    """Of a linear-Gaussian problem, the samples have the mean and the deviation of the known posterior."""
    result = _solved(solver, trial, Posterior).result
    _require_samples(result, (_ROWS, 2))
    A = torch.tensor(_MATRIX, dtype=torch.float64)
    prior = torch.tensor(_STD, dtype=torch.float64) ** -2
    covariance = torch.linalg.inv(prior.diag() + A.T @ A / _NOISE**2)
    mean = covariance @ (prior * torch.tensor(_MEAN) + A.T[:, 0] * _MEASURED / _NOISE**2)
    _require_moments(result, mean, covariance.diag().sqrt(), trial)


@check(Solver, once=True)
def gaussian_target(solver: Solver, trial: Trial) -> None:
    """Of a normal density, the samples have its mean and deviation."""
    result = _solved(solver, trial, Target).result
    _require_samples(result, (len(result), 2))
    _require_moments(result, torch.tensor(_MEAN), torch.tensor(_STD), trial)


@check(Solver, once=True)
def gaussian_fit(solver: Solver, trial: Trial) -> None:
    """A normal model that is fitted to normal data gets likelier."""
    problem = _problem(Fit, trial)
    assert isinstance(problem, Fit)
    assert isinstance(problem.model, Gaussian)
    before = float(problem.model.log_prob(problem.data).mean().detach())
    after = float(_solved(solver, trial, Fit).result.log_prob(problem.data).mean().detach())
    if not after > before:
        raise CheckError(f"the mean log_prob of the data: was {before:.4g} and is {after:.4g}, but must rise.")


@check(Solver, once=True)
def solver_follows_its_seed(solver: Solver, trial: Trial) -> None:
    """The same seed gives the same solution, whatever the global random numbers, and other seeds give others."""
    if solver.accepts is Fit:
        raise NotApplicable("solves Fit problems, whose result need not be random")
    first = _solved(solver, trial, solver.accepts).result
    same(_solved(solver, trial, solver.accepts).result, first, "the result of the same seed")
    if torch.equal(_solved(solver, trial, solver.accepts, seed=trial.seed + 1).result, first):
        raise CheckError("the result of another seed: is the same, but must be another. Draw from `rng`.")


@check(Solver, once=True)
def solver_tells_its_steps(solver: Solver, trial: Trial) -> None:
    """`callback` is called with a mapping of figures, and the solution holds statistics and a message."""
    calls: list[Any] = []
    solution = _solved(solver, trial, solver.accepts, callback=calls.append)
    if not calls:
        raise CheckError("callback: was never called, but must be after each step.")
    if not all(isinstance(figures, Mapping) for figures in calls):
        raise CheckError(f"callback: was given a {type(calls[0]).__name__}, but must be given a mapping of figures.")
    if not isinstance(solution, Solution) or not isinstance(solution.statistics, Mapping):
        raise CheckError(f"solve: gave a {type(solution).__name__}, but must give a tain.Solution.")


@check(Solver, once=True)
def problem_is_unchanged(solver: Solver, trial: Trial) -> None:
    """Solving changes neither the data, nor the measurement, nor the prior, nor the global random numbers."""
    problem, state = _problem(solver.accepts, trial), torch.get_rng_state()
    held = [getattr(problem, name) for name in ("data", "measurement") if hasattr(problem, name)]
    if isinstance(problem, Posterior):
        held += list(problem.prior.parameters())
    before = [tensor.detach().clone() for tensor in held]
    try:
        solver.solve(problem, rng=trial.seed)
        for tensor, copy in zip(held, before, strict=True):
            if not torch.equal(tensor, copy):
                raise CheckError("solve: changed a tensor of its problem. Work on a copy.")
        if not torch.equal(torch.get_rng_state(), state):
            raise CheckError("solve: used or seeded the global random numbers of torch. Draw from `rng` alone.")
    finally:
        torch.set_rng_state(state)


def _problem(kind: type[Problem], trial: Trial) -> Problem:
    dtype = trial.dtype
    true = Gaussian(_MEAN, _STD).to(dtype)
    if kind is Posterior:
        A = torch.tensor(_MATRIX, dtype=dtype)
        measurement = torch.full((_ROWS, 1), _MEASURED, dtype=dtype)
        return Posterior(measurement, lambda x: x @ A.T, _NOISE, true, Anything())
    if kind is Target:
        return Target(lambda x: true.log_prob(x), Identity())
    if kind is Fit:
        return Fit(true.sample(_ROWS, rng=trial.rng()), Gaussian((0.0, 0.0), (1.0, 1.0)).to(dtype))
    raise NotApplicable(f"no {kind.__name__} with a known answer is at hand")


def _solved(
    solver: Solver, trial: Trial, kind: type[Problem], seed: int | None = None, callback: Any = None
) -> Solution:
    if solver.accepts is not kind:
        raise NotApplicable(f"{type(solver).__name__} accepts {solver.accepts.__name__} problems, not {kind.__name__}")
    return solver.solve(_problem(kind, trial), rng=trial.seed if seed is None else seed, callback=callback)


def _require_samples(result: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(result, Tensor) or tuple(result.shape) != shape:
        raise CheckError(f"the result: is {getattr(result, 'shape', type(result))}, but must have shape {shape}.")
    finite(result, "the result")


def _require_moments(result: Tensor, mean: Tensor, std: Tensor, trial: Trial) -> None:
    x = rows_of(result)
    limit = (trial.subject.accuracy + 4 / math.sqrt(len(x))) * torch.tensor(_STD)
    at_most((x.mean(0) - mean).abs(), limit, "the error of the samples' mean (a row for each entry)")
    at_most((x.std(0) - std).abs(), limit, "the error of the samples' deviation (a row for each entry)")
