"""Problems whose answers are known: a Gaussian as a prior, as a model and as a target."""

import math
from typing import final

import torch
from torch import Tensor, nn

from tain.constraints import Constraint
from tain.generators import Denoiser, Density
from tain.mirror_maps import Legendre
from tain.randomness import generator, standard_normal

__all__ = ["Anything", "Gaussian", "Identity"]


@final
class Gaussian(Denoiser, Density):
    """Independent normal numbers, with exact density and denoiser; its weights are means and log deviations.

    Args:
        mean, std: of each entry of a sample.

    Example:
        >>> Gaussian((0.0, 1.0), (1.0, 2.0)).denoise(torch.tensor([[2.0, 1.0]]), torch.zeros(1)).tolist()
        [[2.0, 1.0]]
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.event_shape = (len(mean),)
        self.mean = nn.Parameter(torch.tensor(mean))
        self.log_std = nn.Parameter(torch.tensor(std).log())
        self.register_buffer("scale", torch.ones(len(mean)))

    def log_prob(self, y: Tensor) -> Tensor:
        """The sum of the entries' log densities: (B, n) to (B,)."""
        z = (y - self.mean) / self.log_std.exp()
        return (-z.square() / 2 - self.log_std - math.log(2 * math.pi) / 2).sum(1)

    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """Minus the log density: (B, n) to (B,)."""
        return -self.log_prob(y)

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        """Exact samples, (n, size)."""
        return self.mean + self.log_std.exp() * standard_normal((n, *self.event_shape), generator(rng), self.mean)

    def denoise(self, y_t: Tensor, t: Tensor) -> Tensor:
        """mean + gain (y_t - alpha mean), with gain = alpha std^2 / (alpha^2 std^2 + sigma^2)."""
        alpha, sigma = self.alpha(t)[:, None], self.sigma(t)[:, None]
        variance = (2 * self.log_std).exp()
        gain = alpha * variance / (alpha.square() * variance + sigma.square())
        return self.mean + gain * (y_t - alpha * self.mean)

    def alpha(self, t: Tensor) -> Tensor:
        """cos(pi t / 2)."""
        return torch.cos(math.pi / 2 * t)

    def sigma(self, t: Tensor) -> Tensor:
        """sin(pi t / 2)."""
        return torch.sin(math.pi / 2 * t)


@final
class Anything(Constraint):
    """Vectors without a rule."""

    event_ndim = 1

    def distance(self, x: Tensor) -> Tensor:
        """0: (B, n) to (B,)."""
        return 0 * x.sum(1)


@final
class Identity(Legendre):
    """The identity as a mirror map, of half the square: a target on it is an ordinary density."""

    def __init__(self) -> None:
        super().__init__()
        self.constraint = Anything()

    def forward(self, x: Tensor) -> Tensor:
        """x, if it is finite."""
        self.constraint.require(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """y."""
        return y

    def potential(self, x: Tensor) -> Tensor:
        """|x|^2 / 2: (B, n) to (B,)."""
        return x.square().sum(1) / 2

    def conjugate(self, y: Tensor) -> Tensor:
        """|y|^2 / 2: (B, n) to (B,)."""
        return y.square().sum(1) / 2

    def log_det(self, x: Tensor) -> Tensor:
        """0: (B, n) to (B,)."""
        return 0 * x.sum(1)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """v."""
        return v

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """w."""
        return w
