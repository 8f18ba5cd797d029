"""Where flow matching starts: noise of a known density, Gaussian or with heavy tails."""

import abc
import math
from typing import final

import torch
from torch import Tensor

from tain.randomness import standard_normal

__all__ = ["Gaussian", "Source", "StudentT"]


class Source(abc.ABC):
    """A distribution of noise of any shape."""

    @abc.abstractmethod
    def draw(self, shape: tuple[int, ...], rng: torch.Generator, like: Tensor) -> Tensor:
        """Independent rows, shape (B, *S)."""

    @abc.abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """The log density of each row: (B, *S) to (B,)."""


@final
class Gaussian(Source):
    """The standard normal distribution.

    Example:
        >>> import torch
        >>> Gaussian().log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    def draw(self, shape: tuple[int, ...], rng: torch.Generator, like: Tensor) -> Tensor:
        return standard_normal(shape, rng, like=like)

    def log_prob(self, z: Tensor) -> Tensor:
        return -(z.square() + math.log(2 * math.pi)).flatten(1).sum(1) / 2


@final
class StudentT(Source):
    """The multivariate Student-t distribution: a normal row, divided by one random length that all its entries share.

    Source: Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
    https://arxiv.org/abs/2510.08929

    Args:
        degrees_of_freedom: fewer of them make heavier tails; moments of that order and above are infinite.

    Example:
        >>> import torch
        >>> StudentT(3).log_prob(torch.zeros(1, 1)).exp()
        tensor([0.3676])
    """

    def __init__(self, degrees_of_freedom: int):
        self.degrees_of_freedom = degrees_of_freedom

    def draw(self, shape: tuple[int, ...], rng: torch.Generator, like: Tensor) -> Tensor:
        degrees = self.degrees_of_freedom
        normal = standard_normal(shape, rng, like=like)
        mean_square = standard_normal((shape[0], degrees), rng, like=like).square().mean(1)  # chi-squared / degrees
        return normal / mean_square.sqrt().reshape(-1, *[1] * (len(shape) - 1))

    def log_prob(self, z: Tensor) -> Tensor:
        degrees, size = self.degrees_of_freedom, math.prod(z.shape[1:])
        constant = math.lgamma((degrees + size) / 2) - math.lgamma(degrees / 2) - size / 2 * math.log(degrees * math.pi)
        return constant - (degrees + size) / 2 * (z.square().flatten(1).sum(1) / degrees).log1p()
