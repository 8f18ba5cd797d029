"""The variational autoencoder of images: convolutional networks."""

from typing import Annotated, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tain import Field
from tain_vae.convolutions import ConvolutionalDecoder, ConvolutionalEncoder
from tain_vae.vae import VAE

__all__ = ["ImageVAE"]


@final
class ImageVAE(VAE):
    """A variational autoencoder of images of any size, standardised channel by channel.

    Samples are the decoder's means by default, as is usual for images; the model whose likelihood is bounded is that
    with `noise=True`. The default beta is the source's and makes the sharpest reconstructions. A larger one makes
    better samples and bounds: for digits 0.1 to 1, as the README shows.

    The scales of the posterior are between 0 and 1, those of the prior: an observation only narrows what is known of a
    latent, and no input makes them overflow. Weights are drawn from `seed` alone; the global random state is left as
    it was.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, appendix A,
    https://arxiv.org/abs/2406.12816

    Raises:
        ConfigurationError: an argument is of another type, or beyond its limit.

    Example:
        >>> model = ImageVAE(event_shape=(1, 12, 8), latent=4, width=4)
        >>> y = torch.rand(20, 1, 12, 8, generator=torch.Generator().manual_seed(0))
        >>> model.prepare(y)
        >>> model.reconstruct(y).shape
        torch.Size([20, 1, 12, 8])
        >>> model.sample(3, rng=0).shape
        torch.Size([3, 1, 12, 8])
    """

    def __init__(
        self,
        event_shape: Annotated[tuple[int, int, int], Field("channels, height and width", at_least=1)],
        latent: Annotated[int, Field("number of latent dimensions", at_least=1)] = 128,
        beta: Annotated[float, Field("variance of the decoder, standardised", at_least=1e-12, at_most=1e12)] = 0.001,
        width: Annotated[int, Field("channels of the first layer", at_least=1)] = 32,
        noise: Annotated[bool, Field("whether samples carry the decoder's noise")] = False,
        seed: Annotated[int, Field("seed of the initial weights", at_least=0)] = 0,
    ):
        activations = ConvolutionalDecoder.activations(event_shape, width)
        super().__init__(event_shape, latent, beta, noise, (event_shape[0], 1, 1), activations)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.encoder = ConvolutionalEncoder(event_shape, 2 * latent, width)
            self.decoder = ConvolutionalDecoder(latent, event_shape, width)

    def posterior(self, u: Tensor) -> tuple[Tensor, Tensor]:
        mean, logit = self.encoder(u).chunk(2, dim=1)
        return mean, logsigmoid(logit)

    def likelihood(self, z: Tensor) -> Tensor:
        u: Tensor = self.decoder(z)
        return u
