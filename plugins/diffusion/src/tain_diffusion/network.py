"""The network for vectors: a residual multilayer perceptron that is told the time and the condition."""

import math
from typing import final

import torch
from torch import Tensor, nn

__all__ = ["ResidualMLP"]

_FREQUENCIES = 16


@final
class ResidualMLP(nn.Module):
    """A residual MLP whose every block is scaled and shifted by an embedding of the time and the condition.

    It starts as the zero function: the last layer's weights are zero.

    Source: Scalable Diffusion Models with Transformers (adaptive layer norm), https://arxiv.org/abs/2212.09748

    Args:
        event_shape: shape of a sample, which is taken as a vector.
        width: number of hidden units.
        blocks: number of residual blocks.
        features: size of the condition, 0 for none.

    Example:
        >>> import torch
        >>> network = ResidualMLP(event_shape=(5,), width=64, blocks=2)
        >>> network(torch.zeros(3, 5), torch.tensor([0.0, 0.5, 1.0])).shape
        torch.Size([3, 5])
    """

    frequencies: Tensor

    def __init__(self, event_shape: tuple[int, ...], width: int, blocks: int, features: int = 0):
        super().__init__()
        size = math.prod(event_shape)
        # Half periods from the whole time axis to 1/16 of it: smooth enough for the steps of an ODE solver.
        self.register_buffer("frequencies", math.pi * torch.logspace(0, 4, _FREQUENCIES, base=2))
        self.embed_time = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES + features, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.embed_sample = nn.Linear(size, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, size)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    @staticmethod
    def activations(width: int, blocks: int) -> int:
        """About how many numbers are computed of one row."""
        return 8 * width * (blocks + 1)

    def forward(self, z: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """z (B, *event_shape), times (B,) in [0, 1], condition (B, features) if there is one, to (B, *event_shape)."""
        phase = t[:, None] * self.frequencies
        told = [phase.sin(), phase.cos()] if condition is None else [phase.sin(), phase.cos(), condition]
        context = self.embed_time(torch.cat(told, dim=1))
        hidden = self.embed_sample(z.flatten(1))
        for block in self.blocks:
            hidden = block(hidden, context)
        result: Tensor = self.project(self.norm(hidden))
        return result.reshape(z.shape)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        last = nn.Linear(width, width)
        with torch.no_grad():  # variances add up along the residual path; a small start keeps the first steps stable
            last.weight /= math.sqrt(width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        scale, shift = self.modulate(context).chunk(2, dim=1)
        updated: Tensor = hidden + self.layers(self.norm(hidden) * (1 + scale) + shift)
        return updated
