"""What a component computes of each row, by the names of its methods, so that one check can ask all of them."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import Tensor

from tain.capabilities import supports
from tain.constraints import Constraint, Projectable, Residual, Retractable
from tain.generators import Denoiser, Density, Generator
from tain.learned import Learned
from tain.mirror_maps import Bijective, Legendre, MirrorMap
from tain.testing.trials import Trial

__all__ = ["Inputs", "inputs", "outputs", "row_methods", "seeded_methods"]

Method = Callable[["Inputs"], Tensor]


@attrs.frozen(eq=False)
class Inputs:
    """One batch of everything that a method may take; rows belong together.

    Attributes:
        x: points inside, (B, *S).
        z: points anywhere, (B, *S).
        v: directions within the set, (B, *S).
        y, w: mirror images and their directions, (B, *T).
        t: times in [0, 1], (B,).
    """

    x: Tensor
    z: Tensor
    v: Tensor
    y: Tensor
    w: Tensor
    t: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> "Inputs":
        """The same function of each."""
        return Inputs(*map(function, self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order above."""
        return (self.x, self.z, self.v, self.y, self.w, self.t)


def inputs(component: Any, trial: Trial, stream: int = 0) -> Inputs:
    """The inputs of one trial; another stream gives others."""
    x = trial.inside(stream)
    shape = tuple(component.mirror_shape(trial.subject.event_shape)) if isinstance(component, MirrorMap) else ()
    y, w = (trial.normal(shape, stream + offset) for offset in (1, 2))
    t = torch.rand(trial.rows, generator=trial.rng(stream + 3), dtype=torch.float64).to(trial.dtype)
    return Inputs(x, trial.anywhere(stream + 4), trial.tangent(x, stream + 5), y, w, t)


def row_methods(component: Any) -> Mapping[str, Method]:
    """The methods that give each row a result of its own."""
    c, found = component, dict[str, Method]()
    if isinstance(c, Constraint):
        found["distance"] = lambda i: c.distance(i.z)
        if supports(c, Projectable):
            found["project"] = lambda i: c.project(i.z)
        if supports(c, Residual):
            found["residual"] = lambda i: c.residual(i.z)
        if supports(c, Retractable):
            found["retract"] = lambda i: c.retract(i.x)
    if isinstance(c, MirrorMap):
        found |= {"forward": lambda i: c.forward(i.x), "inverse": lambda i: c.inverse(i.y)}
    if supports(c, Bijective):
        found["log_det"] = lambda i: c.log_det(i.x)
    if supports(c, Legendre):
        found |= {
            "potential": lambda i: c.potential(i.x),
            "conjugate": lambda i: c.conjugate(i.y),
            "pairing": lambda i: c.pairing(i.x, i.y),
            "hessian_vector": lambda i: c.hessian_vector(i.x, i.v),
            "inverse_hessian_vector": lambda i: c.inverse_hessian_vector(i.x, i.w),
        }
    if isinstance(c, Density):
        found["log_prob"] = lambda i: c.log_prob(i.x)
    if isinstance(c, Denoiser):
        found["denoise"] = lambda i: c.denoise(i.x, i.t)
    return found


def seeded_methods(component: Any) -> Mapping[str, Method]:
    """The methods that give each row a result of its own, for one seed and one size of the batch."""
    if isinstance(component, Generator) or supports(component, Learned):
        return {"loss": lambda i: component.loss(i.x, rng=0)}
    return {}


def outputs(component: Any, given: Inputs) -> dict[str, Tensor]:
    """What all of these methods make of a batch."""
    methods = {**row_methods(component), **seeded_methods(component)}
    return {name: method(given) for name, method in methods.items()}
