"""Flow matching: a network learns the velocity of straight paths between data and noise.

With x_0 the standardised data and x_1 the noise, the path is x_t = (1 - t) x_0 + t x_1 and its velocity x_1 - x_0. The
network learns the mean velocity at each place and time; following it from noise back to data draws a sample.

Sources:
    Flow Matching for Generative Modeling, https://arxiv.org/abs/2210.02747 (its time runs the other way)
    Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains (Student-t noise),
    https://arxiv.org/abs/2510.08929
"""

import abc
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tain import ConfigurationError, Denoiser, MissingCapabilityError
from tain.randomness import uniform
from tain_diffusion.arguments import SourceName, TailsName
from tain_diffusion.continuous_flow import ContinuousFlow, TimedNetwork
from tain_diffusion.runge_kutta import METHODS, MethodName, State, integrate
from tain_diffusion.sources import Gaussian, Source, StudentT

__all__ = ["FlowMatching"]


class FlowMatching(ContinuousFlow, Denoiser, abc.ABC):
    """All of a flow-matching model but its network. Training data are standardised by `prepare`.

    With Gaussian noise it is a denoiser, of alpha = 1 - t and sigma = t. What it would tell of Student-t noise is no
    use to those who ask a `Denoiser`, since they take its noise to be Gaussian: `denoise` then refuses.

    A subclass is final, declares its own arguments, and gives the network: see `ContinuousFlow`.

    Args:
        event_shape, network, activations, likelihood_steps, covariates, classes, condition_dropout, guidance, seed,
            tails: see `ContinuousFlow`.
        source: distribution of the noise; `student-t` has heavy tails, for data that have them.
        degrees_of_freedom: of Student-t noise.
        solver: Runge-Kutta method of sampling.
        evaluations: network evaluations a sample, a multiple of the method's evaluations a step; guidance takes each
            of them twice.

    Raises:
        ConfigurationError: the evaluations make no whole number of steps.
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        network: Callable[[int], nn.Module],
        activations: int,
        source: SourceName,
        degrees_of_freedom: int,
        solver: MethodName,
        evaluations: int,
        likelihood_steps: int,
        covariates: int,
        classes: int,
        condition_dropout: float,
        guidance: float,
        seed: int,
        tails: TailsName = "kept",
    ):
        self._require_evaluations(solver, evaluations)
        super().__init__(
            event_shape=event_shape,
            network=network,
            activations=activations,
            likelihood_steps=likelihood_steps,
            covariates=covariates,
            classes=classes,
            condition_dropout=condition_dropout,
            guidance=guidance,
            seed=seed,
            tails=tails,
        )
        self.source: Source = Gaussian() if source == "gaussian" else StudentT(degrees_of_freedom)
        self.solver: MethodName = solver
        self.evaluations = evaluations

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def denoise(self, y_t: Tensor, t: Tensor, *, condition: Tensor | None = None) -> Tensor:
        """E[y_0 given y_t]: y_t (B, *event_shape), times t (B,) in [0, 1], to (B, *event_shape), with gradients.

        Raises:
            MissingCapabilityError: the noise is not Gaussian, or the tails are shortened.
        """
        if not isinstance(self.source, Gaussian):
            raise MissingCapabilityError(
                f"{type(self).__name__}: with 'source' \"student-t\" it is no denoiser of Gaussian noise. Build it "
                "with 'source' \"gaussian\" to denoise."
            )
        self.require_kept_tails()
        self.require_shape(y_t)
        embedded, time = self.conditions(condition, len(y_t)), self.per_row(t)
        x_t = (y_t - (1 - time) * self.mean) / self.scale
        velocity = self.guided(x_t, t, embedded, 1.0 if condition is None else self.guidance)
        return self.mean + self.scale * (x_t - time * velocity)  # since x_0 = x_t - t (x_1 - x_0)

    def training_example(self, z_0: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        t = uniform((len(z_0),), rng, like=z_0)
        z_1 = self.source.draw(tuple(z_0.shape), rng, like=z_0)
        time = self.per_row(t)
        return (1 - time) * z_0 + time * z_1, t, z_1 - z_0  # equations (22) and (23), with time reversed

    def draw(self, n: int, network: TimedNetwork, rng: torch.Generator) -> Tensor:
        def slope(t: Tensor, state: State) -> State:
            return (network(state[0], t),)

        steps = self.evaluations // METHODS[self.solver].evaluations
        grid = torch.linspace(1, 0, steps + 1, dtype=self.mean.dtype, device=self.mean.device)
        noise = self.source.draw((n, *self.event_shape), rng, like=self.mean)
        return integrate(slope, (noise,), grid, self.solver)[0]

    def velocity(self, z: Tensor, s: Tensor, embedded: Tensor | None) -> Tensor:
        """dx/dt at the time t = s."""
        return self.guided(z, s, embedded, 1.0)

    def grid(self) -> Tensor:
        return torch.linspace(0, 1, self.likelihood_steps + 1, dtype=torch.float64)

    def noise_log_prob(self, z: Tensor) -> Tensor:
        return self.source.log_prob(z)

    @classmethod
    def _require_evaluations(cls, solver: MethodName, evaluations: int) -> None:
        each = METHODS[solver].evaluations
        if evaluations % each:
            below = evaluations - evaluations % each
            near = f"{below} or {below + each}" if below else f"{each}"
            raise ConfigurationError(
                f"{cls.__name__}: 'evaluations' is {evaluations}, but must be a multiple of {each} with the solver "
                f"'{solver}', which takes {each} a step. Give {near}."
            )
