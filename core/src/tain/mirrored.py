"""The mirrored generator: any generator in the mirror space *is* a generator of samples that keep the rule."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain.capabilities import supports
from tain.configured import Field
from tain.errors import MissingCapabilityError, ShapeError
from tain.generators import Conditional, Density, Generator
from tain.mirror_maps import Bijective, MirrorMap

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
        self.event_shape = tuple(mirror.primal_shape(tuple(generator.event_shape)))
        rule = mirror.constraint
        if rule.event_shape is not None and self.event_shape != rule.event_shape:
            wanted = f"shape {rule.event_shape}, and mirror images of shape {mirror.mirror_shape(rule.event_shape)}"
        elif len(self.event_shape) != rule.event_ndim:
            wanted = f"{rule.event_ndim} dimensions"
        else:
            return
        raise ShapeError(
            f"Mirrored: {type(generator).__name__} has event_shape {tuple(generator.event_shape)} and so makes samples "
            f"of shape {self.event_shape}, but those of {type(rule).__name__} have {wanted}."
        )

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """The shape of the condition of one sample; None if the generator takes none."""
        return self.generator.condition_shape if isinstance(self.generator, Conditional | Mirrored) else None

    def prepare(self, y: Tensor, condition: Tensor | None = None) -> None:
        self.generator.prepare(self.mirror(y), **self._passed(condition))

    def loss(self, y: Tensor, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """The generator's loss on the mirror images of samples of the set: (B, *event_shape) to (B,).

        Raises:
            MissingCapabilityError: there is a condition, and the generator is not built to take one.
        """
        return self.generator.loss(self.mirror(y), rng=rng, **self._passed(condition))

    def sample(self, n: int, *, condition: Tensor | None = None, rng: torch.Generator | int | None = None) -> Tensor:
        """`n` samples of the set, shape (n, *event_shape).

        Raises:
            MissingCapabilityError: there is a condition, and the generator is not built to take one.
        """
        return self.mirror.inverse(self.generator.sample(n, rng=rng, **self._passed(condition)))

    def log_prob(self, y: Tensor, *, condition: Tensor | None = None) -> Tensor:
        """The log density of samples of the set, (B, *event_shape) to (B,), by the change of variables.

        Raises:
            MissingCapabilityError: the mirror map is no bijection, or the generator has no density, or there is a
                condition, and the generator is not built to take one.
        """
        if not supports(self.mirror, Bijective):
            raise _no_density(self.mirror, "a bijective mirror map")
        if not isinstance(self.generator, Density | Mirrored):
            raise _no_density(self.generator, "a generator with a Density")
        return self.generator.log_prob(self.mirror(y), **self._passed(condition)) + self.mirror.log_det(y)

    def forward(self, y: Tensor, rng: torch.Generator | int | None = None, condition: Tensor | None = None) -> Tensor:
        return self.loss(y, condition=condition, rng=rng)

    def _passed(self, condition: Tensor | None) -> dict[str, Tensor]:
        """The condition as an argument for the generator, if there is one."""
        if condition is None:
            return {}
        if self.condition_shape is None:
            raise MissingCapabilityError(
                f"Mirrored: there is a condition, but its {type(self.generator).__name__} was not built to take one. "
                "Leave the condition out, or use a generator that is Conditional."
            )
        return {"condition": condition}


def _no_density(part: MirrorMap | Generator, wanted: str) -> MissingCapabilityError:
    return MissingCapabilityError(
        f"Mirrored.log_prob: {type(part).__name__} is not {wanted}. The density of a mirrored generator needs both a "
        "bijective mirror map and a generator with a Density."
    )
