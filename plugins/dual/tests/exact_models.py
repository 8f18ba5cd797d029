"""Generators whose loss is exactly -log p, and fits whose optimum is known in closed form.

Of all densities q, sum_i w_i KL(p_i, q) is least for the mixture of the p_i with weights in proportion to w_i. So with
multipliers lambda_i the optimum of a fit is (p + sum_i lambda_i p_i) / (1 + sum_i lambda_i), and the budgets that
belong to chosen multipliers are its divergences.
"""

import math
from typing import final

import torch
from torch import nn

import tain
from tain.randomness import generator, standard_normal, uniform

WIDTH = 6.0  # densities are looked at between -6 and 6


@final
class Histogram(tain.Density):
    """Any density on [-6, 6]^d that is constant on bins: `bins` along each entry."""

    def __init__(self, event_shape: tuple[int, ...], bins: int = 48):
        super().__init__()
        self.event_shape, self.bins = event_shape, bins
        self.logits = nn.Parameter(torch.zeros(bins ** event_shape[0]))

    def cells(self, y):
        places = ((y + WIDTH) / (2 * WIDTH) * self.bins).long().clamp(0, self.bins - 1)
        return (places * self.bins ** torch.arange(self.event_shape[0])).sum(1)

    def log_prob(self, y):
        return self.logits.log_softmax(0)[self.cells(y)] - math.log(2 * WIDTH / self.bins) * self.event_shape[0]

    def loss(self, y, *, rng=None):
        return -self.log_prob(y)

    @torch.no_grad()
    def sample(self, n, *, rng=None):
        rng = generator(rng)
        cells = torch.searchsorted(self.logits.softmax(0).cumsum(0), uniform((n,), rng, self.logits), right=True)
        cells = cells.clamp(max=len(self.logits) - 1)
        places = torch.stack([cells // self.bins**axis % self.bins for axis in range(self.event_shape[0])], dim=1)
        return (places + uniform((n, *self.event_shape), rng, self.logits)) / self.bins * 2 * WIDTH - WIDTH


@final
class Mixture(tain.Density):
    """A mixture of normal densities of deviation 1 about given centres, (K, d), whose weights are learned."""

    def __init__(self, centres: torch.Tensor):
        super().__init__()
        self.event_shape = tuple(centres.shape[1:])
        self.register_buffer("centres", centres)
        self.logits = nn.Parameter(torch.zeros(len(centres)))

    def log_prob(self, y):
        squares = (y[:, None] - self.centres).square().sum(2)
        normal = -squares / 2 - self.event_shape[0] / 2 * math.log(2 * math.pi)
        return (normal + self.logits.log_softmax(0)).logsumexp(1)

    def loss(self, y, *, rng=None):
        return -self.log_prob(y)

    @torch.no_grad()
    def sample(self, n, *, rng=None):
        rng = generator(rng)
        which = torch.searchsorted(self.logits.softmax(0).cumsum(0), uniform((n,), rng, self.logits))
        y = self.centres[which.clamp(max=len(self.centres) - 1)]
        return y + standard_normal(tuple(y.shape), rng, y)


@final
class Moved(tain.Generator):
    """Normal samples of deviation 1 about a learned mean; its samples pass gradients."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape
        self.mean = nn.Parameter(torch.zeros(event_shape))

    def loss(self, y, *, rng=None):
        return (y - self.mean).square().sum(1) / 2

    def sample(self, n, *, rng=None):
        return self.mean + standard_normal((n, *self.event_shape), generator(rng), self.mean)


def normals(centre, n, seed):
    """Normal samples of deviation 1 about a centre, (n, d)."""
    centre = torch.tensor(centre)
    return centre + torch.randn(n, len(centre), generator=torch.Generator().manual_seed(seed))


def weights_of(multipliers):
    """The weights of the optimal mixture: that of the data, then those of the other sets."""
    return torch.tensor([1.0, *multipliers]).double() / (1 + sum(multipliers))
