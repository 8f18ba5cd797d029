"""What a neural approximate mirror map is trained on: that both ways around lead back, and that noise leads to the set.

Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, section 3, https://arxiv.org/abs/2406.12816
"""

from collections.abc import Callable
from typing import Literal, final

import attrs
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tain.randomness import generator, standard_normal, uniform
from tain_namm.input_convex import InputConvexGradient

__all__ = ["Objective"]

Function = Callable[[Tensor], Tensor]


@final
@attrs.frozen
class Objective:
    """The losses of a forward map f and an inverse g; `NeuralMirrorMap` tells what they are.

    Attributes:
        sigma_max: largest size of the noise.
        constraint_weight, regularisation: lambda and rho.
        noise: whether sigma is "uniform" in [0, sigma_max] or "fixed", sigma_max.
        variant: the form of the "paper", or that of the "released" code.
    """

    sigma_max: float
    constraint_weight: float
    regularisation: float
    noise: Literal["uniform", "fixed"]
    variant: Literal["paper", "released"]

    def loss(
        self, f: nn.Module, g: Function, distance: Function, u: Tensor, rng: torch.Generator | int | None
    ) -> Tensor:
        """The loss of each sample u of the data: (B, *S) to (B,)."""
        v = f(u)
        w = v + self.perturbation(v, generator(rng))
        returned, restored = g(torch.cat((v, w))).chunk(2)
        if self.variant == "paper":
            cycle = _mean(u - returned) + _mean(v - f(returned))
        else:
            cycle = _mean(u - returned) / 2 + _mean(w - f(restored)) / 2
        change = u - v
        if self.variant == "released" and isinstance(f, InputConvexGradient):
            mu = f.strong_convexity
            change = (v - mu * u) / (1 - mu)  # the gradient of phi
        return cycle + self.constraint_weight * distance(restored) + self.regularisation * _mean(change)

    def finetuning_loss(
        self, f: nn.Module, g: Function, distance: Function, u: Tensor, y: Tensor, rng: torch.Generator | int | None
    ) -> Tensor:
        """The loss of each pair of a sample u of the data and a generated image y, both (B, *S), to (B,).

        Only g is trained.
        """
        frozen = {name: weight.detach() for name, weight in f.named_parameters()}
        with torch.no_grad():
            v = f(u)
        w = y + self.perturbation(y, generator(rng))
        again = y if self.variant == "paper" else w
        parts = (v, y, w) if self.variant == "paper" else (v, w)
        returned, *middle, restored = g(torch.cat(parts)).chunk(len(parts))
        image = functional_call(f, frozen, (middle[0] if middle else restored,))
        cycle = _mean(u - returned) + _mean(again - image)
        weight = 1.0 if self.variant == "paper" else 0.5
        return weight * cycle + self.constraint_weight * distance(restored)

    def perturbation(self, v: Tensor, rng: torch.Generator) -> Tensor:
        """sigma z, each row with a sigma of its own."""
        column = (len(v), *[1] * (v.ndim - 1))
        share = uniform(column, rng, v) if self.noise == "uniform" else 1.0
        return self.sigma_max * share * standard_normal(tuple(v.shape), rng, v)


def _mean(x: Tensor) -> Tensor:
    """The mean of absolute values of each row: (B, *S) to (B,)."""
    return x.abs().flatten(1).mean(1)
