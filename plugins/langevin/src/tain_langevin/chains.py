"""The solver of a density by Markov chains: starts them, warms them up, gathers their draws and judges them."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, final

import torch
from torch import Tensor

from tain import ConfigurationError, Interior, ShapeError, Solution, Solver, Target, supports
from tain.randomness import generator, standard_normal
from tain_langevin.diagnostics import effective_samples, split_r_hat, standard_error
from tain_langevin.streams import Streams
from tain_langevin.walk import Walk

__all__ = ["MarkovChains"]

_PILOTS, _LEAST_TUNING = 32, 50
_MIXED = 1.01  # the largest R-hat of chains that agree, by the paper that `diagnostics` follows


class MarkovChains(Solver, abc.ABC):
    """Samples a `Target` by many Markov chains. A subclass is final, and gives their steps.

    The result has shape (chains * draws, *S), the draws of a chain one after another: `result.unflatten(0, (chains,
    -1))` parts them. All samples are in the set. What has to be found first, such as a step size, is found by 32 pilot
    chains and then kept, and each chain has random numbers of its own. So its draws do not depend on how many run
    beside it. The statistics are

        effective_samples   of the ranks of each entry, (*S)      split_r_hat       of each entry, (*S)
        standard_error      of each entry's mean, (*S)            acceptance        mean probability, (chains,)
        step_size           a number                              refused           proposals not finite, (chains,)

    and the message says what is wrong with them, if anything is.

    Args:
        chains: how many run side by side.
        draws: how many samples to take of each.
        warmup: steps of each before the first sample; as many again the pilots make.
        thin: steps from one sample to the next.
        start: points inside the set, (n, *S), of which chain i takes number i modulo n. By default they come from the
            constraint's `interior`, else they are images of normal numbers under the map's inverse.
        tuned: whether pilot chains have anything to find.
    """

    accepts = Target

    def __init__(self, chains: int, draws: int, warmup: int, thin: int, start: Tensor | None, tuned: bool):
        super().__init__()
        if tuned and warmup < _LEAST_TUNING:
            raise ConfigurationError(
                f"{type(self).__name__}: 'warmup' is {warmup}, but must be at least {_LEAST_TUNING} to find a step "
                "size. Take a longer one, or give 'step_size'."
            )
        if draws < 10:
            raise ConfigurationError(
                f"{type(self).__name__}: 'draws' is {draws}, but must be at least 10, since less tells nothing of how "
                "well the chains agree."
            )
        self.chains = chains
        self.draws = draws
        self.warmup = warmup
        self.thin = thin
        self.start = start
        self.tuned = tuned

    @abc.abstractmethod
    def walk(self, problem: Target, x: Tensor) -> Walk:
        """The chains at their start, x (chains, *S), which is refused here if it is not fit."""

    @final
    def solve(
        self,
        problem: Target,  # type: ignore[override]  # of the kinds of problems, it accepts this one
        *,
        rng: torch.Generator | int | None = None,
        callback: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Solution:
        """Samples of the density. `callback` gets the number of each step and its mean acceptance probability.

        Raises:
            OutsideSetError: a start is outside of the set.
            ShapeError: log_prob does not return one number a row, or starts have another shape than samples.
            ConfigurationError: log_prob or its gradient is not finite at a start, no start is known, or the problem is
                no `Target`.
            MissingCapabilityError: the mirror map or its constraint cannot do what this solver needs.
        """
        if not isinstance(problem, Target):
            raise ConfigurationError(
                f"{type(self).__name__}: the problem is a {type(problem).__name__}, but must be a tain.Target."
            )
        example, pilots = torch.empty((), dtype=self._dtype()), _PILOTS if self.tuned else 0
        first, streams = Streams(generator(rng), pilots + self.chains, example).split(pilots)
        walk = self.walk(problem, self._starts(problem, streams))
        if pilots:
            walk.tune(self._pilots(problem, first))
        kept, total, steps = [], torch.zeros(self.chains, dtype=torch.float64), self.warmup + self.draws * self.thin
        for step, (normal, uniform) in enumerate(streams.steps(steps, walk.normals, walk.uniforms), start=1):
            acceptance = walk.step(normal, uniform)
            if step > self.warmup:
                total += acceptance.double().cpu()
                if (step - self.warmup) % self.thin == 0:
                    kept.append(walk.x)
            if callback is not None:
                callback({"step": step, "steps": steps, "acceptance": float(acceptance.mean())})
        draws = torch.stack(kept, 1)
        statistics: dict[str, Any] = {
            "effective_samples": effective_samples(draws),
            "split_r_hat": split_r_hat(draws),
            "standard_error": standard_error(draws),
            "acceptance": total / (self.draws * self.thin),
            "step_size": walk.step_size,
            "refused": walk.refused,
        }
        return Solution(draws.flatten(0, 1), statistics, self._message(statistics))

    def _pilots(self, problem: Target, streams: Streams) -> Walk:
        walk = self.walk(problem, self._starts(problem, streams))
        for step, (normal, uniform) in enumerate(streams.steps(self.warmup, walk.normals, walk.uniforms), start=1):
            walk.adapt(walk.step(normal, uniform), self.warmup - step)
        return walk

    def _dtype(self) -> torch.dtype:
        return torch.get_default_dtype() if self.start is None else self.start.dtype

    def _starts(self, problem: Target, streams: Streams) -> Tensor:
        rule, name = problem.mirror.constraint, type(self).__name__
        if self.start is not None:
            rule.require_shape(self.start)
            if not len(self.start):
                raise ShapeError(f"{name}: 'start' has no rows, but must have at least one point of the set.")
            return self.start[torch.arange(len(streams.sources)) % len(self.start)]
        if supports(rule, Interior):
            return torch.cat([rule.interior(1, rng=source, dtype=self._dtype()) for source in streams.sources])
        if rule.event_shape is None:
            raise ConfigurationError(
                f"{name}: {type(rule).__name__} does not tell the shape of a sample, nor a point inside. Give 'start', "
                "points of the set, (n, *S)."
            )
        shape, like = (1, *problem.mirror.mirror_shape(rule.event_shape)), torch.empty((), dtype=self._dtype())
        images = torch.cat([standard_normal(shape, source, like) for source in streams.sources])
        return problem.mirror.inverse(images).detach()

    def _message(self, statistics: Mapping[str, Any]) -> str:
        """What a person should know of the chains."""
        said, r_hat = [], statistics["split_r_hat"]
        if not bool((r_hat <= _MIXED).all()):
            said.append(
                f"The chains do not agree: split R-hat is up to {float(r_hat.nan_to_num(torch.inf).max()):.3g}, but "
                f"should be at most {_MIXED}. Take more draws or a longer warm-up."
            )
        if still := int((statistics["acceptance"] < 0.01).sum()):
            said.append(f"{still} of {self.chains} chains hardly moved. Take a smaller step size or another map.")
        if refused := int(statistics["refused"].sum()):
            said.append(
                f"{refused} proposals were refused because log_prob, its gradient or the Hessian was not finite there."
            )
        return " ".join(said)
