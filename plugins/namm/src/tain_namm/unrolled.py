"""A network that corrects steps of descent on a rule."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from tain_namm.residual import LARGEST

__all__ = ["Unrolled"]


@final
class Unrolled(nn.Module):
    """y to u_K: u_0 = y / slope, and u_k = u_{k-1} + gamma_k s_k + network(u_{k-1}, s_k), s_k the rule's step there.

    A network alone must learn from data where the set is; this one is told, and needs to learn only what a step does
    not do by itself. The gains gamma_k are learned, from 1; the network is the same at each step.
    It sees s_k in units of the noise, beside u_{k-1} as further channels, both within 100.

    Source: Solving ill-posed inverse problems using iterative deep neural networks, https://arxiv.org/abs/1704.04058

    Args:
        network: rows (B, 2 C, ...) to (B, C, ...).
        slope: what y is divided by, not 0.
        steps: K, at least 1.
        noise: what s_k is divided by for the network, above 0.

    Example:
        >>> network = nn.Linear(2, 1, bias=False)
        >>> nn.init.zeros_(network.weight).shape
        torch.Size([1, 2])
        >>> Unrolled(network, slope=0.5, steps=1, noise=0.1)(torch.tensor([[1.0]]), lambda u: -u / 4).tolist()
        [[1.5]]
    """

    def __init__(self, network: nn.Module, slope: float, steps: int, noise: float):
        super().__init__()
        self.network, self.slope, self.noise = network, slope, noise
        self.gain = nn.Parameter(torch.ones(steps))

    def forward(self, y: Tensor, rule_step: Callable[[Tensor], Tensor]) -> Tensor:
        """Shape of y; `rule_step` gives s_k at u_{k-1}."""
        u = y / self.slope
        for gain in self.gain:
            step = rule_step(u)
            seen = torch.cat((u, step / self.noise), dim=1).clamp(-LARGEST, LARGEST)
            u = u + gain * step + self.network(seen)
        return u
