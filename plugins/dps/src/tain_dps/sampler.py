"""What all solvers here share: they guide the reverse process of a diffusion model by the likelihood of its y_0."""

import abc
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import attrs
import torch
from torch import Tensor

from tain import ConfigurationError, Field, Posterior, Problem, Solution, Solver
from tain.randomness import generator, standard_normal
from tain_dps.likelihood import Likelihood
from tain_dps.report import solution
from tain_dps.reverse_process import Level, first, levels, spread_of, step

__all__ = ["Eta", "Guided", "PosteriorSampler", "RowsAtOnce", "Steps"]

Steps = Annotated[int, Field("evaluations of the denoiser", at_least=2, at_most=10000)]
Eta = Annotated[float, Field("noise of each step: 0 none (DDIM), 1 ancestral sampling", at_least=0, at_most=1)]
RowsAtOnce = Annotated[
    int | None, Field("samples computed at once; by default as many as half a gigabyte takes", at_least=1)
]

_BYTES = 2**29


@attrs.frozen(eq=False)
class Guided:
    """One step's guidance of some rows.

    Attributes:
        clean: what y_0 is expected to be, (b, *T), by which the step is made.
        push: what is added to where the step ends, (b, *T), or 0.
        misfit: of the sample that the denoiser expects without guidance, (b,).
    """

    clean: Tensor
    push: Tensor | float
    misfit: Tensor


class PosteriorSampler(Solver, abc.ABC):
    """A solver of `tain.Posterior` problems by guided diffusion. Each sample is on its own.

    The solution has one sample for each row of the measurement, bad ones included, and of statistics: `misfit` (B,),
    the root mean square of the residual in units of the noise, about 1 for the truth; `constraint_distance` (B,), if
    there is a rule; and the counts `not_finite` and `diverged`, of samples that are finite, but whose misfit is above
    10 and above that of the prior's mean. `callback` is told the `step`, the `total` of steps and the `misfit` so far,
    a median.

    Args:
        steps: evaluations of the denoiser.
        eta: noise of each step.
        rows_at_once: samples computed at once, which bounds the memory; results are the same, up to rounding.
    """

    accepts = Posterior
    remedy: str  # what to do where samples diverged

    def __init__(self, steps: int, eta: float, rows_at_once: int | None):
        super().__init__()
        self.steps, self.eta, self.rows_at_once = steps, eta, rows_at_once

    @abc.abstractmethod
    def guided(self, likelihood: Likelihood, y_t: Tensor, level: Level) -> Guided:
        """The guidance of some rows: y_t (b, *T) at a level, with the likelihood of the same rows."""

    def require(self, problem: Posterior) -> None:
        """Refuse problems that this method does not take. Default: none."""

    def solve(
        self,
        problem: Problem,
        *,
        rng: torch.Generator | int | None = None,
        callback: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Solution:
        """Draw a sample for each row of the measurement.

        Raises:
            MissingCapabilityError: the prior has no denoiser.
            ConfigurationError: the problem is of another kind; its noise is none; its operator fails or has no
                derivative; the method does not take it.
            ShapeError: measurement, operator, constraint and prior do not fit.
            DataError: the measurement is empty or not finite.
        """
        source = generator(rng)
        return self.solve_with(problem, lambda shape, like: standard_normal(shape, source, like), callback)

    def solve_with(
        self,
        problem: Problem,
        draw: Callable[[tuple[int, ...], Tensor], Tensor],
        callback: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Solution:
        """Draw samples by given noise: row k follows from row k of the measurement and of each noise alone.

        Args:
            problem: as of `solve`.
            draw: standard normal noise, draw(shape, like), called once to begin with and once for each noisy step.
            callback: as of `solve`.
        """
        name = type(self).__name__
        if not isinstance(problem, Posterior):
            raise ConfigurationError(
                f"{name}: was given a {type(problem).__name__}, but solves tain.Posterior problems."
            )
        self.require(problem)
        with torch.inference_mode(False), torch.no_grad():
            likelihood = Likelihood.of(problem, name)
            rows = max(1, _BYTES // likelihood.try_out(name))
            return self._run(likelihood, self.rows_at_once or rows, draw, callback)

    def _run(
        self,
        likelihood: Likelihood,
        rows: int,
        draw: Callable[[tuple[int, ...], Tensor], Tensor],
        callback: Callable[[Mapping[str, Any]], None] | None,
    ) -> Solution:
        denoiser, count = likelihood.space.denoiser, len(likelihood.measurement)
        scale, shape = denoiser.scale, (count, *denoiser.scale.shape)
        ladder = levels(denoiser, self.steps)
        y, at_first = draw(shape, scale).clone(), torch.zeros(())
        for part in _parts(count, rows):
            y[part] = first(denoiser, ladder[0], y[part])
        for index, (now, then) in enumerate(itertools.pairwise(ladder)):
            spread = spread_of(now, then, self.eta)
            noise = draw(shape, scale) if spread > 0 else None  # of all rows, so that parts do not change it
            misfits = []
            for part in _parts(count, rows):
                guided = self.guided(likelihood.rows(part), y[part], now)
                ahead = step(y[part], guided.clean, now, then, spread, None if noise is None else noise[part], scale)
                y[part] = ahead + guided.push
                misfits.append(guided.misfit)
            misfit = torch.cat(misfits)
            at_first = misfit if index == 0 else at_first
            if callback is not None:
                callback({"step": index + 1, "total": self.steps, "misfit": float(misfit.nanmedian())})
        return solution(likelihood, y, [*_parts(count, rows)], at_first, type(self).__name__, self.remedy)


def _parts(count: int, rows: int) -> Iterator[slice]:
    return (slice(start, start + rows) for start in range(0, count, rows))
