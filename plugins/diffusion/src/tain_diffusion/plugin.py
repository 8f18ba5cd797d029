"""What tain-diffusion provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_generators() -> Iterator[tain.Component]:
    from tain_diffusion.vector import VectorDiffusion

    yield tain.Component("vector-diffusion", VectorDiffusion, summary="diffusion of vectors by a residual MLP")
