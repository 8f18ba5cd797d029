"""tain-langevin: samples of a density on a convex set, by mirror Langevin dynamics and others."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_langevin.almost_one_hot import AlmostOneHot as AlmostOneHot
    from tain_langevin.chains import MarkovChains as MarkovChains
    from tain_langevin.diagnostics import (
        effective_samples as effective_samples,
        split_r_hat as split_r_hat,
        standard_error as standard_error,
    )
    from tain_langevin.dual_langevin import DualLangevin as DualLangevin
    from tain_langevin.hit_and_run import HitAndRun as HitAndRun
    from tain_langevin.mirror_langevin import MirrorLangevin as MirrorLangevin
    from tain_langevin.projected_langevin import ProjectedLangevin as ProjectedLangevin

_MODULES = {
    "AlmostOneHot": "almost_one_hot",
    "DualLangevin": "dual_langevin",
    "HitAndRun": "hit_and_run",
    "MarkovChains": "chains",
    "MirrorLangevin": "mirror_langevin",
    "ProjectedLangevin": "projected_langevin",
    "effective_samples": "diagnostics",
    "split_r_hat": "diagnostics",
    "standard_error": "diagnostics",
}
__all__ = [
    "AlmostOneHot",
    "DualLangevin",
    "HitAndRun",
    "MarkovChains",
    "MirrorLangevin",
    "ProjectedLangevin",
    "effective_samples",
    "split_r_hat",
    "standard_error",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tain_langevin' has no attribute '{name}'")
    return getattr(import_module(f"tain_langevin.{_MODULES[name]}"), name)
