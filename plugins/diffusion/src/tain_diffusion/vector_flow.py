"""Flow matching of vectors: the network is a residual multilayer perceptron."""

from typing import Annotated, final

from tain import Field
from tain_diffusion import arguments as a
from tain_diffusion.flow_matching import FlowMatching
from tain_diffusion.network import ResidualMLP

__all__ = ["VectorFlowMatching"]


@final
class VectorFlowMatching(FlowMatching):
    """A flow-matching model of vectors (or of small arrays, taken as vectors).

    Example:
        >>> import torch
        >>> model = VectorFlowMatching(event_shape=(2,), width=32, blocks=1, source="student-t")
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
        source: a.SourceOfNoise = "gaussian",
        degrees_of_freedom: a.DegreesOfFreedom = 5,
        solver: a.Solver = "midpoint",
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
            source=source,
            degrees_of_freedom=degrees_of_freedom,
            solver=solver,
            evaluations=evaluations,
            likelihood_steps=likelihood_steps,
            covariates=covariates,
            classes=classes,
            condition_dropout=condition_dropout,
            guidance=guidance,
            tails=tails,
            seed=seed,
        )
