"""Diffusion posterior sampling under a rule, for tain: solvers of `tain.Posterior` problems, and operators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_dps.blurring import Blur as Blur, Downsample as Downsample
    from tain_dps.cg_dps import CGDPS as CGDPS
    from tain_dps.deepinverse import DeepInverse as DeepInverse
    from tain_dps.dps import DPS as DPS
    from tain_dps.linear_operator import LinearOperator as LinearOperator
    from tain_dps.mirror_dps import MirrorDPS as MirrorDPS
    from tain_dps.moment_matching import MomentMatching as MomentMatching
    from tain_dps.radial_fourier import RadialFourier as RadialFourier
    from tain_dps.random_projection import RandomProjection as RandomProjection
    from tain_dps.sampler import PosteriorSampler as PosteriorSampler
    from tain_dps.selection import Select as Select, Snapshots as Snapshots

_MODULES = {
    "Blur": "blurring",
    "CGDPS": "cg_dps",
    "DPS": "dps",
    "DeepInverse": "deepinverse",
    "Downsample": "blurring",
    "LinearOperator": "linear_operator",
    "MirrorDPS": "mirror_dps",
    "MomentMatching": "moment_matching",
    "PosteriorSampler": "sampler",
    "RadialFourier": "radial_fourier",
    "RandomProjection": "random_projection",
    "Select": "selection",
    "Snapshots": "selection",
}

__all__ = [
    "CGDPS",
    "DPS",
    "Blur",
    "DeepInverse",
    "Downsample",
    "LinearOperator",
    "MirrorDPS",
    "MomentMatching",
    "PosteriorSampler",
    "RadialFourier",
    "RandomProjection",
    "Select",
    "Snapshots",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_dps' has no attribute '{name}'")
    return getattr(import_module(f"tain_dps.{_MODULES[name]}"), name)
