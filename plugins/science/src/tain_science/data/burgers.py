"""Trajectories of Burgers' equation, each a picture: time down, space across."""

import math
from collections.abc import Sequence
from typing import Annotated, final

import torch
from torch import Tensor

from tain import Constraint, Field
from tain_science.data.simulator import Simulator
from tain_science.data.streams import normal

__all__ = ["BurgersTrajectories"]


@final
class BurgersTrajectories(Simulator):
    """Solutions of u_t + u u_x = viscosity u_xx on a circle, from random initial states.

    The initial state is a Gaussian process with the Matern covariance of smoothness 3/2, made periodic, mean 0 and
    variance 1. The solver is that of the rule, `crank_nicolson`, with its equation solved at each step, in double
    precision. Snapshot 0 is the initial state.

    Source: Neural Approximate Mirror Maps, appendix F, https://arxiv.org/abs/2406.12816; the spectrum of the process is
    equation 4.15 of Gaussian Processes for Machine Learning, https://gaussianprocess.org/gpml/

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> trajectories = BurgersTrajectories(points=32, snapshots=16).simulate(4, rng=0)
        >>> trajectories.shape
        torch.Size([4, 1, 16, 32])
        >>> energy = trajectories.square().sum(-1)
        >>> bool((energy[..., 1:] <= energy[..., :-1]).all())
        True
    """

    def __init__(
        self,
        viscosity: Annotated[float, Field("viscosity", above=0)] = 0.5,
        points: Annotated[int, Field("points in space", at_least=4)] = 64,
        snapshots: Annotated[int, Field("snapshots in time", at_least=2)] = 64,
        length: Annotated[float, Field("length of the circle", above=0)] = 10.0,
        step: Annotated[float, Field("time step of the solver", above=0)] = 0.025,
        every: Annotated[int, Field("steps between snapshots", at_least=1)] = 5,
        correlation: Annotated[float, Field("correlation length of the initial states", above=0)] = 1.0,
    ):
        super().__init__()
        self.event_shape = (1, snapshots, points)
        self.viscosity, self.length, self.step, self.every = viscosity, length, step, every
        self.correlation = correlation

    @property
    def constraint(self) -> Constraint:
        from tain_science import Burgers

        return Burgers(self.viscosity, length=self.length, step=self.step, every=self.every)

    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        from tain_science.crank_nicolson import crank_nicolson

        _, snapshots, points = self.event_shape
        states = [self._initial(streams)]
        for _ in range(snapshots - 1):
            states.append(crank_nicolson(states[-1], self.viscosity, self.length / points, self.step, self.every))
        return torch.stack(states, dim=1).unsqueeze(1)

    def _initial(self, streams: Sequence[torch.Generator]) -> Tensor:
        """White noise, filtered by the root of the covariance's spectrum: (B, X)."""
        points = self.event_shape[2]
        waves = 2 * math.pi * torch.fft.fftfreq(points, self.length / points, dtype=torch.float64)
        spectrum = (3 / self.correlation**2 + waves**2) ** -2
        root = (spectrum / spectrum.mean()).sqrt()
        return torch.fft.ifft(torch.fft.fft(normal(streams, points)) * root).real
