"""Diffusion of vectors: the network is a residual multilayer perceptron."""

from typing import Annotated, final

from tain import Field
from tain_diffusion import arguments as a
from tain_diffusion.diffusion import Diffusion
from tain_diffusion.network import ResidualMLP

__all__ = ["VectorDiffusion"]


@final
class VectorDiffusion(Diffusion):
    """A diffusion model of vectors (or of small arrays, taken as vectors).

    Training data are standardised, entry by entry, by `prepare`: samples and densities are in units of the data, the
    loss in standardised ones. Weights are drawn from `seed` alone; the global random state is left as it was.

    Example:
        >>> import torch
        >>> model = VectorDiffusion(event_shape=(2,), width=32, blocks=1)
        >>> model.prepare(torch.randn(100, 2))
        >>> model.loss(torch.zeros(4, 2), rng=0).shape
        torch.Size([4])
        >>> model.sample(3, rng=0).shape
        torch.Size([3, 2])
        >>> model.log_prob(torch.zeros(4, 2)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        event_shape: a.EventShape,
        width: Annotated[int, Field("hidden units of the network", at_least=1)] = 256,
        blocks: Annotated[int, Field("residual blocks of the network", at_least=1)] = 4,
        schedule: a.Schedule = "edm",
        prediction: a.Prediction = "velocity",
        sampler: a.Sampler = "adams-bashforth",
        evaluations: a.Evaluations = 20,
        likelihood_steps: a.LikelihoodSteps = 25,
        covariates: a.Covariates = 0,
        classes: a.Classes = 0,
        condition_dropout: a.ConditionDropout = 0.1,
        guidance: a.Guidance = 1.0,
        tails: a.Tails = "kept",
        seed: a.Seed = 0,
    ):
        super().__init__(
            event_shape=event_shape,
            network=lambda features: ResidualMLP(event_shape, width, blocks, features),
            activations=ResidualMLP.activations(width, blocks),
            schedule=schedule,
            prediction=prediction,
            sampler=sampler,
            evaluations=evaluations,
            likelihood_steps=likelihood_steps,
            covariates=covariates,
            classes=classes,
            condition_dropout=condition_dropout,
            guidance=guidance,
            tails=tails,
            seed=seed,
        )
