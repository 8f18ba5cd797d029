"""What tain-vae provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_generators() -> Iterator[tain.Component]:
    from tain_vae.image import ImageVAE
    from tain_vae.vector import VectorVAE

    def vectors() -> list[VectorVAE]:
        return [VectorVAE((3,), latent=2, width=8, blocks=1), VectorVAE((2, 2), latent=3, width=8, blocks=1, beta=1.0)]

    def images() -> list[ImageVAE]:
        return [ImageVAE((2, 9, 6), latent=3, width=4), ImageVAE((1, 5, 8), latent=2, width=4, noise=True)]

    summary = "variational autoencoder of vectors: residual MLPs"
    yield tain.Component("vector-vae", VectorVAE, summary=summary, examples=vectors)
    summary = "variational autoencoder of images: five convolutions each way"
    yield tain.Component("image-vae", ImageVAE, summary=summary, examples=images)
