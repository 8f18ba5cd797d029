"""A rule of images, a learned map of it and a generator of images, small enough for tests. A plugin of one file."""

import torch
from torch import nn

import tain
from tain.randomness import generator, standard_normal


class Flux(tain.Constraint):
    """Images whose values sum to a total."""

    event_ndim = 3

    def __init__(self, total: float = 4.0):
        super().__init__()
        self.total, self.scale = total, total

    def distance(self, x):
        return (x.flatten(1).sum(1) - self.total).abs()


class Curved(tain.Finetunable):
    """The gradient of |x|^2 / 2 + softplus(a) |x|^4 / 4, whose loss so needs a derivative of a gradient; and an
    inverse that learns to scale and to shift."""

    def __init__(self, constraint: tain.Constraint, event_shape: tuple[int, ...], weight: float = 1.0):
        super().__init__()
        self.constraint, self.event_shape, self.weight = constraint, event_shape, weight
        self.curvature = nn.Parameter(torch.tensor(-2.0))
        self.scale = nn.Parameter(torch.ones(()))
        self.shift = nn.Parameter(torch.zeros(event_shape))
        self.mend = nn.Conv2d(event_shape[0], event_shape[0], 1, bias=False)
        nn.init.dirac_(self.mend.weight)
        self.register_buffer("mean", torch.zeros(event_shape))

    def prepare(self, x):
        self.mean.copy_(x.mean(0))

    def forward(self, x):
        with torch.enable_grad():
            at = x if x.requires_grad else x.detach().requires_grad_()
            potential = at.square() / 2 + nn.functional.softplus(self.curvature) * at**4 / 4
            return torch.autograd.grad(potential.sum(), at, create_graph=True)[0]

    def inverse(self, y):
        return self.mean + self.mend(self.scale * (y - self.mean)) + self.shift

    def loss(self, x, *, rng=None):
        y = self.forward(x)
        noisy = y + 0.05 * standard_normal(tuple(y.shape), generator(rng), like=y)
        cycle = (self.inverse(y) - x).square().flatten(1).mean(1)
        return cycle + self.weight * self.constraint.distance(self.inverse(noisy))

    def finetuning_loss(self, x, y, *, rng=None):
        noisy = y + 0.05 * standard_normal(tuple(y.shape), generator(rng), like=y)
        cycle = (self.inverse(self.forward(x)) - x).square().flatten(1).mean(1)
        return cycle + self.weight * self.constraint.distance(self.inverse(noisy))

    def finetuned(self):
        yield from (self.scale, self.shift, self.mend.weight)


class Pixels(tain.Generator):
    """Independent normal pixels, fitted by maximum likelihood."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape = event_shape
        self.mean = nn.Parameter(torch.zeros(event_shape))
        self.log_std = nn.Parameter(torch.zeros(event_shape))

    def loss(self, y, *, rng=None):
        jitter = 1e-3 * standard_normal(tuple(y.shape), generator(rng), like=y)
        return (((y + jitter - self.mean) / self.log_std.exp()).square() / 2 + self.log_std).flatten(1).mean(1)

    @torch.no_grad()
    def sample(self, n, *, rng=None):
        noise = standard_normal((n, *self.event_shape), generator(rng), like=self.mean)
        return self.mean + self.log_std.exp() * noise


def images(count, shape=(1, 4, 4), total=4.0):
    """Images that keep the rule."""
    x = torch.rand((count, *shape), generator=torch.Generator().manual_seed(0))
    return total * x / x.flatten(1).sum(1).reshape(-1, 1, 1, 1)


@tain.hookimpl
def tain_constraints():
    yield tain.Component("test-flux", Flux)


@tain.hookimpl
def tain_mirror_maps():
    yield tain.Component("test-curved", Curved)


@tain.hookimpl
def tain_generators():
    yield tain.Component("test-pixels", Pixels)


@tain.hookimpl
def tain_mirror_for(constraint, event_shape):
    if isinstance(constraint, Flux) and event_shape is not None:
        yield Curved(constraint, event_shape)
