"""A generator: a model that is fitted to samples and draws new ones. It knows nothing of constraints."""

import abc

import torch
from torch import Tensor

from tain.configured import Configured

__all__ = ["Conditional", "Denoiser", "Density", "Generator"]


class Generator(Configured, abc.ABC):
    """A generative model of samples of one shape.

    Calling the module gives its loss, so that wrappers such as `DistributedDataParallel` work.

    Attributes:
        event_shape: the shape of one sample.
    """

    event_shape: tuple[int, ...]

    @abc.abstractmethod
    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The training loss of each sample: (B, *event_shape) to (B,)."""

    @abc.abstractmethod
    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` new samples, shape (n, *event_shape). Same seed, same samples."""

    def prepare(self, y: Tensor) -> None:
        """Take what is needed from the training data, (N, *event_shape), before the first step. Default: nothing."""

    def forward(self, y: Tensor, rng: torch.Generator | int | None = None) -> Tensor:
        """Calling a generator gives its loss."""
        return self.loss(y, rng=rng)


class Denoiser(Generator):
    """Capability: a diffusion model that tells the mean of y_0 given y_t = alpha(t) y_0 + sigma(t) scale noise.

    Attributes:
        scale: standard deviation of the noise in each entry where sigma is 1, shape event_shape: a generator that
            standardises its data has noise in proportion to them.
    """

    scale: Tensor

    @abc.abstractmethod
    def denoise(self, y_t: Tensor, t: Tensor) -> Tensor:
        """E[y_0 given y_t]: y_t (B, *event_shape), times t (B,) in [0, 1], to (B, *event_shape)."""

    @abc.abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """The factor of the signal at times t in [0, 1], same shape as t."""

    @abc.abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """The standard deviation of the noise at times t in [0, 1], same shape as t, in units of `scale`."""


class Density(Generator):
    """Capability: the likelihood of a sample is known."""

    @abc.abstractmethod
    def log_prob(self, y: Tensor) -> Tensor:
        """The log density of each sample: (B, *event_shape) to (B,)."""


class Conditional(Generator):
    """Capability: samples depend on a condition, such as a label or covariates, that each of them comes with.

    `condition=None` is the model of all samples, whatever their condition.

    Attributes:
        condition_shape: the shape of the condition of one sample, () for a label; None if this model was built without.
    """

    condition_shape: tuple[int, ...] | None

    @abc.abstractmethod
    def loss(self, y: Tensor, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """The training loss of each sample: (B, *event_shape), condition (B, *condition_shape), to (B,)."""

    @abc.abstractmethod
    def sample(self, n: int, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` new samples, one for each condition (n, *condition_shape): shape (n, *event_shape)."""

    def prepare(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Take what is needed from the training data and their conditions before the first step. Default: nothing."""

    def forward(self, y: Tensor, rng: torch.Generator | int | None = None, condition: Tensor | None = None) -> Tensor:
        return self.loss(y, condition=condition, rng=rng)
