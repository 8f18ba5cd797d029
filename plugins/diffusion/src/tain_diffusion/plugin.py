"""What tain-diffusion provides."""

import json
from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_generators() -> Iterator[tain.Component]:
    from tain_diffusion.image import ImageDiffusion
    from tain_diffusion.image_flow import ImageFlowMatching
    from tain_diffusion.pretrained import PretrainedDiffusion
    from tain_diffusion.vector import VectorDiffusion
    from tain_diffusion.vector_flow import VectorFlowMatching

    def vectors() -> list[VectorDiffusion]:
        return [
            VectorDiffusion((2,), width=8, blocks=1, evaluations=5, likelihood_steps=4),
            VectorDiffusion((1,), width=8, blocks=1, likelihood_steps=8),
        ]

    def flows() -> list[VectorFlowMatching]:
        return [
            VectorFlowMatching((2,), width=8, blocks=1, evaluations=4, likelihood_steps=4),
            VectorFlowMatching((1,), width=8, blocks=1, likelihood_steps=4),
        ]

    def images() -> list[ImageDiffusion]:
        return [ImageDiffusion((1, 2, 2), channels=(4,), evaluations=3, likelihood_steps=1)]

    def image_flows() -> list[ImageFlowMatching]:
        return [ImageFlowMatching((1, 2, 2), channels=(4,), evaluations=2, likelihood_steps=1)]

    def pretrained() -> list[PretrainedDiffusion]:
        unet = {"_class_name": "UNet2DModel", "sample_size": 4, "in_channels": 1, "out_channels": 1}
        blocks = {"block_out_channels": [4], "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"]}
        network = {**unet, **blocks, "layers_per_block": 1, "norm_num_groups": 2, "attention_head_dim": 4}
        scheduler = {"_class_name": "DDPMScheduler", "num_train_timesteps": 100, "beta_schedule": "linear"}
        return [PretrainedDiffusion(json.dumps(network), json.dumps(scheduler), evaluations=3)]

    summary = "diffusion of vectors by a residual MLP"
    yield tain.Component("vector-diffusion", VectorDiffusion, summary=summary, examples=vectors)
    summary = "flow matching of vectors by a residual MLP, from Gaussian or heavy-tailed noise"
    yield tain.Component("vector-flow-matching", VectorFlowMatching, summary=summary, examples=flows)
    summary = "diffusion of images and fields by a U-Net"
    yield tain.Component("image-diffusion", ImageDiffusion, summary=summary, examples=images)
    summary = "flow matching of images and fields by a U-Net"
    yield tain.Component("image-flow-matching", ImageFlowMatching, summary=summary, examples=image_flows)
    summary = "a diffusion model of images that was trained with the diffusers library"
    yield tain.Component("pretrained-diffusion", PretrainedDiffusion, summary=summary, examples=pretrained)
