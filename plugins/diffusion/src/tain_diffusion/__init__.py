"""Diffusion and flow matching for tain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_diffusion.diffusion import Diffusion as Diffusion
    from tain_diffusion.flow_matching import FlowMatching as FlowMatching
    from tain_diffusion.image import ImageDiffusion as ImageDiffusion
    from tain_diffusion.image_flow import ImageFlowMatching as ImageFlowMatching
    from tain_diffusion.pretrained import PretrainedDiffusion as PretrainedDiffusion
    from tain_diffusion.vector import VectorDiffusion as VectorDiffusion
    from tain_diffusion.vector_flow import VectorFlowMatching as VectorFlowMatching

_MODULES = {
    "Diffusion": "diffusion",
    "FlowMatching": "flow_matching",
    "ImageDiffusion": "image",
    "ImageFlowMatching": "image_flow",
    "PretrainedDiffusion": "pretrained",
    "VectorDiffusion": "vector",
    "VectorFlowMatching": "vector_flow",
}
__all__ = [
    "Diffusion",
    "FlowMatching",
    "ImageDiffusion",
    "ImageFlowMatching",
    "PretrainedDiffusion",
    "VectorDiffusion",
    "VectorFlowMatching",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_diffusion' has no attribute '{name}'")
    return getattr(import_module(f"tain_diffusion.{_MODULES[name]}"), name)
