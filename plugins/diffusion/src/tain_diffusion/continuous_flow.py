"""What diffusion and flow matching share: a network of z, time and condition, which tells the way from data to noise.

Both train it by regression on noised samples, both sample by following it back from noise, and both know the density of
a sample from the same flow.
"""

import abc
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tain import Conditional, ConfigurationError, Density
from tain.randomness import generator
from tain_diffusion.arguments import TailsName
from tain_diffusion.conditions import Conditions
from tain_diffusion.probability_flow import random_signs, to_noise, unit_vectors
from tain_diffusion.standardised import Standardised

__all__ = ["EXACT", "PROBES", "ContinuousFlow", "TimedNetwork"]

TimedNetwork = Callable[[Tensor, Tensor], Tensor]
"""z (B, *S) and one time to the network's output, (B, *S)."""

EXACT = 64
"""Entries of a sample up to which the divergence is exact; it costs a backward pass for each of them."""

PROBES = 16
"""Random probes of an estimated divergence, unless told otherwise."""


class ContinuousFlow(Standardised, Density, Conditional, abc.ABC):
    """A generator that follows a learned velocity between standardised data and noise.

    Args:
        event_shape: shape of one sample.
        network: makes the network for conditions of so many features, 0 for none. It maps z (B, *event_shape), times
            (B,) in [0, 1] and condition (B, features), or None if there are 0, to (B, *event_shape), each row on its
            own. Its weights are drawn from `seed`, while it is made; the global random state is left as it was.
        activations: about how many numbers the network computes of one row. Large requests are computed in parts that
            keep within a quarter of a gigabyte.
        likelihood_steps: Runge-Kutta steps of `log_prob`.
        covariates, classes, condition_dropout: see `Conditions`.
        guidance: weight of the condition in sampling, 1 for the plain conditional model.
        seed: of the initial weights.
        tails: `shortened` for data with heavy tails, see `tain_diffusion.tails`.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        network: Callable[[int], nn.Module],
        activations: int,
        likelihood_steps: int,
        covariates: int,
        classes: int,
        condition_dropout: float,
        guidance: float,
        seed: int,
        tails: TailsName = "kept",
    ):
        super().__init__(event_shape, tails)
        self.likelihood_steps = likelihood_steps
        self.guidance = guidance
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.conditions = Conditions(type(self).__name__, covariates, classes, condition_dropout)
            self.network = network(self.conditions.features)
        self.condition_shape = self.conditions.shape
        self.rows_at_once = max(1, 2**26 // activations)

    @abc.abstractmethod
    def training_example(self, z_0: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """For each z_0 (B, *S): a noised one, its time as the network is told it, and what the network should give."""

    @abc.abstractmethod
    def velocity(self, z: Tensor, s: Tensor, embedded: Tensor | None) -> Tensor:
        """dz/ds, (B, *S), at z (B, *S), at one s, given embedded conditions (B, features)."""

    @abc.abstractmethod
    def grid(self) -> Tensor:
        """The values of s of the steps of `log_prob`, from data to noise, shape (likelihood_steps + 1,)."""

    @abc.abstractmethod
    def noise_log_prob(self, z: Tensor) -> Tensor:
        """The log density of the noise that the flow ends at: (B, *S) to (B,)."""

    @abc.abstractmethod
    def draw(self, n: int, network: TimedNetwork, rng: torch.Generator) -> Tensor:
        """`n` new samples in standardised units, (n, *S), by a network that has taken in their conditions."""

    def prepare(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Take mean and scale of the training data, (N, *event_shape), and of their covariates.

        Raises:
            ShapeError: data or conditions have another shape.
            MissingCapabilityError: there are conditions, but the model takes none.
            DataError: a number is not finite, a label out of range, or there is no sample.
        """
        super().prepare(y)
        self.conditions.prepare(condition, len(y))

    def loss(self, y: Tensor, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """Mean squared error of the network for each sample at a random time: (B, *S) to (B,).

        With a condition, each sample loses it at the rate `condition_dropout`.
        """
        self.require_shape(y)
        rng = generator(rng)
        embedded = self.conditions(condition, len(y))
        z_t, t, target = self.training_example(self.standardised(y), rng)
        if condition is not None:
            embedded = self.conditions.drop(embedded, rng)
        error: Tensor = self.network(z_t, t, embedded) - target
        return error.square().flatten(1).mean(1)

    @torch.no_grad()
    def sample(self, n: int, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` new samples, shape (n, *event_shape), one for each condition if there are any.

        All noise is drawn for all samples at once; only the network takes them in parts, so results do not depend on
        the size of the parts.
        """
        embedded = self.conditions(condition, n)
        if n == 0:
            return self.mean.new_zeros((0, *self.event_shape))
        guidance = 1.0 if condition is None else self.guidance

        def network(z: Tensor, t: Tensor) -> Tensor:
            parts = self._parts(n)
            return torch.cat([self.guided(z[rows], t, _rows(embedded, rows), guidance) for rows in parts])

        return self.restored(self.draw(n, network, generator(rng)))

    def guided(self, z: Tensor, t: Tensor, embedded: Tensor | None, guidance: float) -> Tensor:
        """The network at z (B, *S), at times t, (B,) or one for all, with weight `guidance` on the condition.

        Source: Classifier-Free Diffusion Guidance (equation 6, guidance = 1 + w), https://arxiv.org/abs/2207.12598
        """
        t = t.expand(len(z))
        told: Tensor = self.network(z, t, embedded)
        if guidance == 1 or embedded is None:
            return told
        untold: Tensor = self.network(z, t, self.conditions(None, len(z)))
        return untold + guidance * (told - untold)

    @torch.no_grad()
    def log_prob(self, y: Tensor, *, condition: Tensor | None = None) -> Tensor:
        """The log density of each sample, (B, *S) to (B,), without guidance. No gradients.

        Exact up to the steps of the flow for samples of at most `EXACT` entries. Beyond, an estimate by `PROBES` random
        probes, which are the same for every sample and at every call; `log_prob_estimate` tells its standard error.
        """
        return self._log_prob(y, condition, PROBES, None)[0]

    @torch.no_grad()
    def log_prob_estimate(
        self,
        y: Tensor,
        *,
        condition: Tensor | None = None,
        probes: int = PROBES,
        rng: torch.Generator | int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The log density of each sample by random probes, and its standard error: (B, *S) to (B,) and (B,).

        The standard error is that of the mean over the probes; it does not know of the error of the steps.

        Raises:
            ConfigurationError: there are fewer than 2 probes, which tell no error.
        """
        if probes < 2:
            raise ConfigurationError(
                f"{type(self).__name__}: 'probes' is {probes}, but must be at least 2, since the spread between them "
                "is what tells the standard error."
            )
        return self._log_prob(y, condition, probes, generator(rng))

    def _log_prob(
        self, y: Tensor, condition: Tensor | None, count: int, rng: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        self.require_shape(y)
        embedded, z = self.conditions(condition, len(y)), self.standardised(y)
        exact = rng is None and math.prod(self.event_shape) <= EXACT
        if exact:
            probes = unit_vectors(z)
        else:
            probes = random_signs(count, 1 if rng is None else len(z), z, generator(0) if rng is None else rng)
        ends, forms = [], []
        for rows in self._parts(len(z)):
            velocity = functools.partial(self.velocity, embedded=_rows(embedded, rows))
            own = probes if probes.shape[1] == 1 else probes[:, rows]
            end, form = to_noise(velocity, z[rows], self.grid().to(z), own)
            ends.append(self.noise_log_prob(end))
            forms.append(form)
        divergences = torch.cat(forms, 1)
        divergence = divergences.sum(0) if exact else divergences.mean(0)
        error = torch.zeros_like(divergence) if exact else divergences.std(0) / math.sqrt(count)
        return torch.cat(ends) + divergence + self.log_det_standardised(y), error

    def _parts(self, n: int) -> list[slice]:
        """Rows that the network takes at once."""
        return [slice(start, start + self.rows_at_once) for start in range(0, max(n, 1), self.rows_at_once)]


def _rows(embedded: Tensor | None, rows: slice) -> Tensor | None:
    return None if embedded is None else embedded[rows]
