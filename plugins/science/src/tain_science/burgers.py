"""Trajectories of Burgers' equation, drawn as images: time down, space across."""

import math
from typing import Annotated, final

from torch import Tensor

from tain import Field
from tain_science.crank_nicolson import crank_nicolson
from tain_science.evolving import Evolving

__all__ = ["Burgers"]


@final
class Burgers(Evolving):
    """Each snapshot follows from the one before by Burgers' equation, u_t + u u_x = nu u_xx, on a circle.

        distance(x) = mean over t, i of |x_t+1,i - CN(x_t)_i|

    CN is `crank_nicolson` over the time between snapshots: a central difference of second order in space, steps of
    second order in time, each solved up to rounding. Any number of snapshots (rows), and of points from 3 on (columns):
    samples have shape (B, 1, T, X).

    Valid range: states so rough that their waves cross several cells a step (|u| step / spacing above about 3 for white
    noise, much more for smooth states) may have no solution that Newton's method finds. Then what follows is NaN, which
    counts as outside.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
    (appendix F)

    Args:
        viscosity: nu. The paper has 0.5.
        length: of the circle.
        step: of time, of the solver.
        every: steps between snapshots; of the default steps, 5 are a time of 0.125.
        scale: size of the numbers in a state; rounding errors of numbers as large are no breach of the rule.

    Example:
        >>> import torch
        >>> from tain_science import Burgers
        >>> rule = Burgers(viscosity=0.5)
        >>> still, jump = torch.zeros(1, 1, 4, 16), torch.eye(4, 16)[None, None]
        >>> rule.contains(torch.cat((still, jump)))
        tensor([ True, False])
    """

    def __init__(
        self,
        viscosity: Annotated[float, Field("viscosity nu", at_least=0, below=math.inf)],
        length: Annotated[float, Field("length of the circle", above=0, below=math.inf)] = 10.0,
        step: Annotated[float, Field("time step of the solver", above=0, below=math.inf)] = 0.025,
        every: Annotated[int, Field("steps between snapshots", at_least=1)] = 5,
        scale: Annotated[float, Field("size of the numbers in a state", above=0, below=math.inf)] = 1.0,
    ):
        super().__init__()
        self.viscosity, self.length, self.step, self.every, self.scale = viscosity, length, step, every, scale

    def advance(self, state: Tensor) -> Tensor:
        """The next snapshot of each: (B, 1, X) to (B, 1, X)."""
        return crank_nicolson(state, self.viscosity, self.length / state.shape[-1], self.step, self.every)
