"""Diffusion generators for tain."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_diffusion.vector import (
        VectorDiffusion as VectorDiffusion,
    )

__all__ = ["VectorDiffusion"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tain_diffusion' has no attribute '{name}'")
    from tain_diffusion import vector

    return getattr(vector, name)
