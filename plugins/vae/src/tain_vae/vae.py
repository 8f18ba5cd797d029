"""The variational autoencoder, whatever its networks: loss, bound on the likelihood, samples.

With u the standardised data, the model draws z ~ N(0, I) and then u ~ N(f(z), beta I); the encoder approximates the
posterior of z given u by q(z | u) = N(m(u), s(u)^2). The evidence bound of a sample is

    log p(u) >= E_q log N(u; f(z), beta I) - KL(q || N(0, I))
              = -(E_q |u - f(z)|^2 / 2 + beta KL) / beta - D / 2 log(2 pi beta).

The bracket is the loss of a beta-VAE with a decoder of unit variance. So beta, the weight of its divergence, *is* the
variance of a Gaussian decoder, and the bracket over beta, plus the constant, is minus a true bound in nats. `loss` is
the bracket per entry, divided by D, so that learning rates and clipping suit samples of any size.

Sources:
    Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
    beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework,
    https://openreview.net/forum?id=Sy2fzU9gl
    Importance Weighted Autoencoders, https://arxiv.org/abs/1509.00519
"""

import abc
import math

import torch
from torch import Tensor

from tain import ConfigurationError
from tain.randomness import generator, standard_normal
from tain_vae.standardised import Standardised

__all__ = ["VAE"]

_NUMBERS = 2**26  # computed by a network at once, a quarter of a gigabyte in float32


class VAE(Standardised):
    """A variational autoencoder with a Gaussian decoder. A subclass gives the networks: `posterior` and `likelihood`.

    Data are standardised by `prepare`; everything but those two methods is in units of the data. One dtype throughout,
    float32 or float64. The bound of a row is a sum of D terms of size |u - f(z)|^2 / beta: float32 keeps seven digits
    of it, so ask for float64 where a nat in a million counts. Valid range: rows within 1e15 standard deviations of the
    mean; much farther off, squares overflow float32. Within `torch.autocast` networks may answer in bfloat16; what is
    computed from their answers, such as the loss, stays in the dtype of the model.

    Args:
        event_shape: shape of one sample.
        latent: number L of latent dimensions.
        beta: variance of the decoder in units of the standardised data, which is the weight of the divergence.
        noise: whether samples carry the decoder's noise.
        statistics_shape: shape of mean and scale; 1 where entries along that dimension share them.
        activations: about how many numbers a network holds at a time for one row. Large requests are computed in parts
            that keep within a quarter of a gigabyte.

    Raises:
        ConfigurationError: `event_shape` is empty.

    Example:
        >>> import torch
        >>> class Linear(VAE):
        ...     def __init__(self, event_shape: tuple[int, ...], latent: int = 1):
        ...         super().__init__(
        ...             event_shape, latent, beta=0.1, noise=True, statistics_shape=event_shape, activations=2
        ...         )
        ...         self.encoder, self.decoder = torch.nn.Linear(2, 2 * latent), torch.nn.Linear(latent, 2)
        ...     def posterior(self, u):
        ...         return self.encoder(u).chunk(2, dim=1)
        ...     def likelihood(self, z):
        ...         return self.decoder(z)
        >>> Linear((2,)).log_prob_bound(torch.zeros(4, 2), samples=10, rng=0).shape
        torch.Size([4])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        latent: int,
        beta: float,
        noise: bool,
        statistics_shape: tuple[int, ...],
        activations: int,
    ):
        super().__init__(event_shape, statistics_shape)
        self.latent = latent
        self.beta = beta
        self.noise = noise
        self.rows_at_once = max(1, _NUMBERS // activations)

    @abc.abstractmethod
    def posterior(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of q(z | u): standardised samples (B, *event_shape) to (B, L) twice."""

    @abc.abstractmethod
    def likelihood(self, z: Tensor) -> Tensor:
        """The mean f(z) of p(u | z): latents (B, L) to standardised samples (B, *event_shape)."""

    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """beta / D times minus the evidence bound, without its constant: (B, *event_shape) to (B,).

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
        """
        u = self.standardised(y)
        mean, log_scale = self._posterior(u)
        # Auto-Encoding Variational Bayes, equation (10) with one draw, both of its terms times -1
        z = mean + log_scale.exp() * standard_normal(tuple(mean.shape), generator(rng), like=mean)
        divergence = -(1 + 2 * log_scale - mean.square() - (2 * log_scale).exp()).sum(1) / 2
        loss = self._error(u, z) + self.beta * divergence  # beta-VAE, equation (4), times -1
        return loss / math.prod(self.event_shape)

    @torch.no_grad()
    def log_prob_bound(self, y: Tensor, samples: int = 64, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The importance-weighted lower bound of log p(y), in nats, in units of the data: (B, *event_shape) to (B,).

        Its expectation is below the log density of the model whose samples carry the decoder's noise, and rises to it
        with the number of samples; one sample gives the evidence bound. Source: Importance Weighted Autoencoders.

        Args:
            y: samples of the data.
            samples: number k of draws from the posterior of each row, at least 1.
            rng: of the draws.

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
            ConfigurationError: `samples` is below 1.
        """
        if samples < 1:
            raise ConfigurationError(
                f"{type(self).__name__}.log_prob_bound: 'samples' is {samples}, but must be at least 1."
            )
        u, rng, entries = self.standardised(y), generator(rng), math.prod(self.event_shape)
        mean, log_scale = (torch.cat(parts) for parts in zip(*map(self._posterior, self._parts(u)), strict=True))
        total = torch.full_like(mean[:, 0], -math.inf)
        for _ in range(samples):
            noise = standard_normal(tuple(mean.shape), rng, like=mean)
            z = mean + log_scale.exp() * noise
            error = torch.cat([self._error(*part) for part in zip(self._parts(u), self._parts(z), strict=True)])
            # Importance Weighted Autoencoders, equation (8): the weight p(u, z) / q(z | u), whose mean's logarithm
            # is the bound. Both normal densities of z have the constant -L / 2 log(2 pi), which cancels.
            log_likelihood = -error / self.beta - entries / 2 * math.log(2 * math.pi * self.beta)
            log_prior, log_posterior = -z.square().sum(1) / 2, -(noise.square() / 2 + log_scale).sum(1)
            total = torch.logaddexp(total, log_likelihood + log_prior - log_posterior)
        return total - math.log(samples) - self.log_volume()

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the posterior of each sample: (B, *event_shape) to (B, latent) twice.

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
        """
        mean, log_scale = self._posterior(self.standardised(y))
        return mean, log_scale.exp()

    def decode(self, z: Tensor) -> Tensor:
        """The mean of the samples of each latent, (B, latent) to (B, *event_shape), without noise.

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
        """
        self.require(z, (self.latent,), "latents")
        return self.restored(self.likelihood(z))

    def reconstruct(self, y: Tensor) -> Tensor:
        """Each sample from the mean of its posterior: (B, *event_shape) to the same, without noise.

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
        """
        return self.decode(self.encode(y)[0])

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` samples, (n, *event_shape): the decoder's means, with its noise if the model was built with `noise`.

        All random numbers are drawn before anything is decoded, so that samples do not depend on the parts in which
        a large request is decoded.
        """
        rng = generator(rng)
        z = standard_normal((n, self.latent), rng, like=self.mean)
        y = torch.cat([self.decode(part) for part in self._parts(z)])
        if self.noise:
            y += self.scale * math.sqrt(self.beta) * standard_normal(tuple(y.shape), rng, like=y)
        return y

    def _posterior(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale in the dtype of the model: sums of squares of bfloat16 would be off by percents."""
        mean, log_scale = self.posterior(u)
        return mean.to(u.dtype), log_scale.to(u.dtype)

    def _error(self, u: Tensor, z: Tensor) -> Tensor:
        """Half the squared error of the decoder: -log N(u; f(z), I) without its constant, (B,)."""
        return (u - self.likelihood(z)).flatten(1).square().sum(1) / 2

    def _parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Rows in parts that one call of a network can hold; one empty part if there are none."""
        parts: tuple[Tensor, ...] = rows.split(self.rows_at_once)
        return parts
