"""The variational autoencoder of vectors: residual multilayer perceptrons."""

import math
from typing import Annotated, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tain import Field
from tain_vae.perceptron import ResidualPerceptron
from tain_vae.vae import VAE

__all__ = ["VectorVAE"]


@final
class VectorVAE(VAE):
    """A variational autoencoder of vectors (or of small arrays, taken as vectors), standardised entry by entry.

    The scales of the posterior are between 0 and 1, those of the prior: an observation only narrows what is known of a
    latent, and no input makes them overflow. Weights are drawn from `seed` alone; the global random state is left as
    it was.

    Source: Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> model = VectorVAE(event_shape=(2,), latent=2, width=32, blocks=1)
        >>> y = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> model.prepare(y)
        >>> model.loss(y, rng=0).shape
        torch.Size([100])
        >>> model.sample(3, rng=0).shape
        torch.Size([3, 2])
        >>> model.log_prob_bound(y, samples=5, rng=0).shape
        torch.Size([100])
    """

    def __init__(
        self,
        event_shape: Annotated[tuple[int, ...], Field("shape of one sample", at_least=1)],
        latent: Annotated[int, Field("number of latent dimensions", at_least=1)] = 16,
        width: Annotated[int, Field("hidden units of both networks", at_least=2)] = 256,
        blocks: Annotated[int, Field("residual blocks of both networks", at_least=1)] = 2,
        beta: Annotated[float, Field("variance of the decoder, standardised", at_least=1e-12, at_most=1e12)] = 0.01,
        noise: Annotated[bool, Field("whether samples carry the decoder's noise")] = True,
        seed: Annotated[int, Field("seed of the initial weights", at_least=0)] = 0,
    ):
        size = math.prod(event_shape)
        activations = ResidualPerceptron.activations(max(size, width))
        super().__init__(event_shape, latent, beta, noise, event_shape, activations)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = ResidualPerceptron(size, 2 * latent, width, blocks)
            self.decoder = ResidualPerceptron(latent, size, width, blocks)

    def posterior(self, u: Tensor) -> tuple[Tensor, Tensor]:
        mean, logit = self.encoder(u.flatten(1)).chunk(2, dim=1)
        return mean, logsigmoid(logit)

    def likelihood(self, z: Tensor) -> Tensor:
        u: Tensor = self.decoder(z)
        return u.reshape(len(z), *self.event_shape)
