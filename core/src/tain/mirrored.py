"""The mirrored generator: any generator in the mirror space *is* a generator of samples that keep the rule."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain.configured import Field
from tain.errors import MissingCapabilityError, ShapeError
from tain.generators import Density, Generator
from tain.mirror_maps import Legendre, MirrorMap

__all__ = ["Mirrored"]


@final
class Mirrored(Generator):
    """A generator of the primal space: train in the mirror space, sample there, bring the samples back.

    Source: Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236

    Args:
        mirror: carries the set of a constraint to the space of `generator`.
        generator: a model of the mirror images.

    Raises:
        ShapeError: the generator's samples do not have the shape of mirror images.
    """

    def __init__(
        self,
        mirror: Annotated[MirrorMap, Field("carries the data to the mirror space and samples back")],
        generator: Annotated[Generator, Field("models the mirror images")],
    ):
        super().__init__()
        self.mirror = mirror
        self.generator = generator
        self.event_shape = mirror.primal_shape(generator.event_shape)
        wanted = mirror.constraint.event_shape
        if wanted is not None and self.event_shape != wanted:
            raise ShapeError(
                f"Mirrored: {type(generator).__name__} has event_shape {generator.event_shape}, but samples of "
                f"{type(mirror.constraint).__name__} have mirror images of shape {mirror.mirror_shape(wanted)}."
            )

    def prepare(self, y: Tensor) -> None:
        self.generator.prepare(self.mirror(y))

    def loss(self, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The generator's loss on the mirror images of samples of the set: (B, *event_shape) to (B,)."""
        return self.generator.loss(self.mirror(y), rng=rng)

    def sample(self, n: int, *, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` samples of the set, shape (n, *event_shape)."""
        return self.mirror.inverse(self.generator.sample(n, rng=rng))

    def log_prob(self, y: Tensor) -> Tensor:
        """The log density of samples of the set, (B, *event_shape) to (B,), by the change of variables.

        Raises:
            MissingCapabilityError: the mirror map is no bijection, or the generator has no density.
        """
        for part, capability in ((self.mirror, Legendre), (self.generator, Density)):
            if not isinstance(part, capability):
                raise MissingCapabilityError(
                    f"Mirrored.log_prob: {type(part).__name__} is not {capability.__name__}. The density of a "
                    "mirrored generator needs a Legendre mirror map and a generator with a density."
                )
        assert isinstance(self.mirror, Legendre)
        assert isinstance(self.generator, Density)
        return self.generator.log_prob(self.mirror(y)) + self.mirror.log_det(y)
