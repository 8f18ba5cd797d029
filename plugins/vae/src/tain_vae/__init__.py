"""Variational autoencoders for tain."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_vae.image import ImageVAE as ImageVAE
    from tain_vae.vae import VAE as VAE
    from tain_vae.vector import VectorVAE as VectorVAE

__all__ = ["VAE", "ImageVAE", "VectorVAE"]

_MODULES = {"ImageVAE": "image", "VAE": "vae", "VectorVAE": "vector"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_vae' has no attribute '{name}'")
    return getattr(import_module(f"tain_vae.{_MODULES[name]}"), name)
