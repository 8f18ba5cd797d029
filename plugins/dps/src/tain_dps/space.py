"""The space that a prior's diffusion takes place in: that of the samples, or a mirror space of it."""

from typing import final

import attrs
from torch import Tensor

from tain import Denoiser, Generator, MirrorMap, MissingCapabilityError, entries
from tain.mirrored import Mirrored

__all__ = ["Space"]


@final
@attrs.frozen(eq=False)
class Space:
    """A denoiser, and the way from its space to that of the samples.

    Attributes:
        denoiser: the diffusion model.
        maps: their inverses lead to the samples, one after the other; none if the denoiser's samples are these.
    """

    denoiser: Denoiser
    maps: tuple[MirrorMap, ...]

    @classmethod
    def of(cls, prior: Generator, owner: str) -> "Space":
        """The space of a prior, mirrored any number of times.

        Raises:
            MissingCapabilityError: there is no denoiser in it.
        """
        maps: tuple[MirrorMap, ...] = ()
        while isinstance(prior, Mirrored):
            maps, prior = (prior.mirror, *maps), prior.generator
        if isinstance(prior, Denoiser):
            return cls(prior, maps)
        able = sorted(entry.name for entry in entries("generator") if issubclass(entry.target, Denoiser))
        known = f"Installed ones that can: {', '.join(able)}." if able else "Install one: pip install tain-diffusion"
        within = "the generator of the mirrored prior" if maps else "the prior"
        raise MissingCapabilityError(
            f"{owner}: {within} is {type(prior).__name__}, which is no tain.Denoiser: it cannot tell the mean of a "
            f"sample given a noised one. {known}"
        )

    def samples(self, y: Tensor) -> Tensor:
        """From the denoiser's space to samples: (B, *T) to (B, *S)."""
        for mirror in self.maps:
            y = mirror.inverse(y)
        return y
