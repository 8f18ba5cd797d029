"""Diffusion of images and of fields on a grid, by a U-Net."""

from typing import final

from torch import Tensor

from tain_diffusion import arguments as a, image_arguments as i
from tain_diffusion.diffusion import Diffusion
from tain_diffusion.unet import UNet

__all__ = ["ImageDiffusion"]


@final
class ImageDiffusion(Diffusion):
    """A diffusion model of images, or of fields on a regular grid, of any number of channels.

    Training data are standardised by `prepare`, with one mean and one scale for each channel, so that no pixel is
    special. With periodic padding nothing else tells the edges either: shifted images are as likely as they were, for
    cyclic shifts by multiples of 2^(levels - 1).

    `log_prob` is an estimate for images of more than 64 numbers; `log_prob_estimate` tells its standard error.

    Sources:
        Denoising Diffusion Probabilistic Models, https://arxiv.org/abs/2006.11239
        Score-Based Generative Modeling through SDEs, https://arxiv.org/abs/2011.13456

    Args:
        event_shape: (C, H, W); height and width must be multiples of 2^(levels - 1).
        channels, layers, attention, padding: see `UNet`.
        schedule, prediction, sampler, evaluations, likelihood_steps, covariates, classes, condition_dropout, guidance,
            seed: see `Diffusion`.

    Raises:
        ConfigurationError: an argument is beyond its limit, or the size does not fit the levels.

    Example:
        >>> import torch
        >>> model = ImageDiffusion(event_shape=(1, 8, 8), channels=(8, 16), layers=1, padding="periodic")
        >>> model.prepare(torch.rand(100, 1, 8, 8))
        >>> model.loss(torch.zeros(4, 1, 8, 8), rng=0).shape
        torch.Size([4])
        >>> model.sample(3, rng=0).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        event_shape: i.ImageShape,
        channels: i.Channels = (16, 32, 64),
        layers: i.Layers = 1,
        attention: i.Attention = (),
        padding: i.Padding = "zeros",
        schedule: a.Schedule = "edm",
        prediction: a.Prediction = "velocity",
        sampler: a.Sampler = "adams-bashforth",
        evaluations: a.Evaluations = 20,
        likelihood_steps: a.LikelihoodSteps = 20,
        covariates: a.Covariates = 0,
        classes: a.Classes = 0,
        condition_dropout: a.ConditionDropout = 0.1,
        guidance: a.Guidance = 1.0,
        seed: a.Seed = 0,
    ):
        super().__init__(
            event_shape=event_shape,
            network=lambda features: UNet(event_shape, channels, layers, attention, padding, features),
            activations=UNet.activations(event_shape, channels, layers),
            schedule=schedule,
            prediction=prediction,
            sampler=sampler,
            evaluations=evaluations,
            likelihood_steps=likelihood_steps,
            covariates=covariates,
            classes=classes,
            condition_dropout=condition_dropout,
            guidance=guidance,
            seed=seed,
        )

    def statistics(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return i.channel_statistics(y)
