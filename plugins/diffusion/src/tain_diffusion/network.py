"""The denoising network for vectors: a residual multilayer perceptron that is told the time."""

import math
from typing import final

import torch
from torch import Tensor, nn

__all__ = ["ResidualMLP"]

_FREQUENCIES = 32


@final
class ResidualMLP(nn.Module):
    """A residual MLP whose every block is scaled and shifted by an embedding of the time.

    It starts as the zero function: the last layer's weights are zero.

    Source: Scalable Diffusion Models with Transformers (adaptive layer norm), https://arxiv.org/abs/2212.09748

    Args:
        size: number of entries of a sample.
        width: number of hidden units.
        blocks: number of residual blocks.

    Example:
        >>> import torch
        >>> network = ResidualMLP(size=5, width=64, blocks=2)
        >>> network(torch.zeros(3, 5), torch.tensor([0.0, 0.5, 1.0])).shape
        torch.Size([3, 5])
    """

    frequencies: Tensor

    def __init__(self, size: int, width: int, blocks: int):
        super().__init__()
        # Periods from 2 pi (the whole time axis) down to 2 pi / 1000 (a step of the noise schedule).
        self.register_buffer("frequencies", torch.logspace(0, 3, _FREQUENCIES))
        self.embed_time = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.embed_sample = nn.Linear(size, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, size)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """z (B, size), times t (B,) in [0, 1], to (B, size)."""
        phase = t[:, None] * self.frequencies
        time = self.embed_time(torch.cat((phase.sin(), phase.cos()), dim=1))
        hidden = self.embed_sample(z)
        for block in self.blocks:
            hidden = block(hidden, time)
        result: Tensor = self.project(self.norm(hidden))
        return result


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        last = nn.Linear(width, width)
        with torch.no_grad():  # variances add up along the residual path; a small start keeps the first steps stable
            last.weight /= math.sqrt(width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, hidden: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.modulate(time).chunk(2, dim=1)
        updated: Tensor = hidden + self.layers(self.norm(hidden) * (1 + scale) + shift)
        return updated
