"""Snapshots of a turbulent flow in two dimensions that is driven by a shear: Kolmogorov's flow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain.errors import ConfigurationError
from tain_science.data.simulator import Simulator
from tain_science.data.streams import normal
from tain_science.data.vorticity import VorticitySolver, regridded

if TYPE_CHECKING:
    from tain_science import DivergenceFree

__all__ = ["KolmogorovFlow"]

_SETTLING = 2.0
"""Time in which the small vortices follow from the large ones, some of their turnovers."""


@final
class KolmogorovFlow(Simulator):
    """Velocities of Kolmogorov's flow on the square of side 2 pi, periodic both ways.

    The flow obeys u_t + (u . grad) u = -grad p + (1 / reynolds) lap u - drag u + sin(wavenumber y) e_x, div u = 0. Each
    row has a random initial flow of its own, which runs for `spin_up` before the first snapshot. Channels 2 k and
    2 k + 1 are the components along x (across) and y (down) of snapshot k.

    The flow keeps the wavenumbers that the image can show. The discrete divergence of the rule's own stencil is taken
    out of the velocities at the end, in double precision. `studies/data.py` pictures the flow, and prints its spectrum
    and what it costs.

    Source: Machine learning-accelerated computational fluid dynamics, https://arxiv.org/abs/2102.01010; the figures are
    those of Neural Approximate Mirror Maps, appendix F, https://arxiv.org/abs/2406.12816

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit; or the flow is too fast for the step.

    Example:
        >>> flows = KolmogorovFlow(size=16, snapshots=2, spin_up=1.0).simulate(2, rng=0)
        >>> flows.shape
        torch.Size([2, 4, 16, 16])
    """

    rows_at_once = 4  # more do not fit the processor's cache, and take twice as long

    def __init__(
        self,
        size: Annotated[int, Field("height and width of a snapshot, even", unit="pixels", at_least=8)] = 64,
        snapshots: Annotated[int, Field("snapshots of a row", at_least=1)] = 8,
        reynolds: Annotated[float, Field("inverse of the viscosity", above=0)] = 1000.0,
        wavenumber: Annotated[int, Field("of the force", at_least=1)] = 4,
        drag: Annotated[float, Field("linear drag", at_least=0)] = 0.1,
        spin_up: Annotated[float, Field("time before the first snapshot", at_least=0)] = 8.0,
        interval: Annotated[float, Field("time between snapshots", above=0)] = 0.2,
    ):
        super().__init__()
        if size % 2:
            raise ConfigurationError(f"KolmogorovFlow: 'size' is {size}, but must be even. Give {size + 1}.")
        if 2 * wavenumber >= size:
            raise ConfigurationError(
                f"KolmogorovFlow: 'wavenumber' is {wavenumber}, but must be below {size // 2} for size {size}."
            )
        self.event_shape = (2 * snapshots, size, size)
        self.spin_up, self.interval = spin_up, interval
        self.solver = VorticitySolver(size, 1 / reynolds, drag, wavenumber)
        coarse = 2 * (max(32, size // 2, 4 * wavenumber) // 2)
        self.coarse = VorticitySolver(min(size, coarse), 1 / reynolds, drag, wavenumber)

    @property
    def constraint(self) -> "DivergenceFree":
        from tain_science import DivergenceFree

        return DivergenceFree()

    def draw(self, streams: Sequence[torch.Generator]) -> Tensor:
        vorticity = self._spun_up(streams)
        flows = [self.solver.velocity(vorticity)]
        while len(flows) < self.event_shape[0] // 2:
            vorticity = self.solver.run(vorticity, self.interval)
            flows.append(self.solver.velocity(vorticity))
        return self.constraint.project(torch.cat(flows, dim=1))

    def _spun_up(self, streams: Sequence[torch.Generator]) -> Tensor:
        """The spectrum of a developed flow, most of the time on a coarser grid, which is ten times faster."""
        coarse, fine = self.coarse, self.solver
        vorticity = coarse.random(normal(streams, coarse.grid, coarse.grid))
        vorticity = coarse.run(vorticity, max(0.0, self.spin_up - _SETTLING))
        vorticity = regridded(vorticity, fine.grid, coarse.size // 2)
        return fine.run(vorticity, min(self.spin_up, _SETTLING))
