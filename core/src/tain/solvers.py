"""A solver: answers one kind of constrained question, a `Problem`, with a `Solution`."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor

from tain.configured import Configured
from tain.constraints import Constraint
from tain.generators import Generator
from tain.mirror_maps import MirrorMap

__all__ = ["Fit", "Posterior", "Problem", "Solution", "Solver", "Target"]


@attrs.frozen(eq=False)
class Problem:
    """A question for a solver. Each kind is a frozen record of its own."""


@attrs.frozen(eq=False)
class Fit(Problem):
    """Fit a model to data while it stays close to other data: min KL(data, model), KL(against_i, model) <= budgets_i.

    Source: Constrained Diffusion Models via Dual Training, https://arxiv.org/abs/2408.15094

    Attributes:
        data: samples, shape (N, *S).
        model: the generator to fit.
        against: other data sets, each of shape (N_i, *S).
        budgets: the largest divergence allowed from each, in nats, at least 0.
    """

    data: Tensor
    model: Generator
    against: Sequence[Tensor] = ()
    budgets: Sequence[float] = ()


@attrs.frozen(eq=False)
class Posterior(Problem):
    """Samples given measurements y = operator(x) + noise, with a generator as the prior.

    There is one sample for each row of the measurement. For n samples given one measurement y, of shape (1, *M),
    repeat it: `y.expand(n, *y.shape[1:])`.

    Source: Diffusion Posterior Sampling for General Noisy Inverse Problems, https://arxiv.org/abs/2209.14687

    Attributes:
        measurement: y, shape (B, *M).
        operator: x (B, *S) to (B, *M), differentiable, each row on its own.
        noise_std: standard deviation of the measurement's noise, above 0: a number, or one for each entry, of a shape
            that broadcasts to M; None if there is a covariance.
        prior: generator of x.
        constraint: a rule that x keeps, if any.
        covariance: of the noise of the flattened measurement, shape (m, m) for m entries, instead of `noise_std`.
    """

    measurement: Tensor
    operator: Callable[[Tensor], Tensor]
    noise_std: float | Tensor | None
    prior: Generator
    constraint: Constraint | None = None
    covariance: Tensor | None = None


@attrs.frozen(eq=False)
class Target(Problem):
    """Samples of a density known up to a constant on the set of a mirror map's constraint.

    Source: Mirror Diffusion Models, https://arxiv.org/abs/2308.06342

    Attributes:
        log_prob: x (B, *S) to (B,), up to a constant.
        mirror: its constraint's set is the support.
    """

    log_prob: Callable[[Tensor], Tensor]
    mirror: MirrorMap


@attrs.frozen(eq=False)
class Solution:
    """What a solver found.

    Attributes:
        result: samples (n, *S) or a fitted generator, as the problem asks.
        statistics: figures and histories by name.
        message: what a person should know; never empty when something went wrong.
    """

    result: Any
    statistics: Mapping[str, Any] = attrs.field(factory=dict)
    message: str = ""


class Solver(Configured, abc.ABC):
    """A method that answers one kind of problem.

    Attributes:
        accepts: the kind of problem it answers.
    """

    accepts: type[Problem]

    @abc.abstractmethod
    def solve(
        self,
        problem: Problem,
        *,
        rng: torch.Generator | int | None = None,
        callback: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Solution:
        """Answer `problem`; `callback` is called with a record of figures after each step."""
