"""What tain-diffusion provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_generators() -> Iterator[tain.Component]:
    from tain_diffusion.vector import VectorDiffusion

    def examples() -> list[VectorDiffusion]:
        return [VectorDiffusion((2,), width=8, blocks=1, evaluations=5)]

    summary = "diffusion of vectors by a residual MLP"
    yield tain.Component("vector-diffusion", VectorDiffusion, summary=summary, examples=examples)
