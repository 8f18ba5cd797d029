"""What tain-dps provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_solvers() -> Iterator[tain.Component]:
    from tain_dps.cg_dps import CGDPS
    from tain_dps.dps import DPS
    from tain_dps.mirror_dps import MirrorDPS
    from tain_dps.moment_matching import MomentMatching

    yield tain.Component("dps", DPS, summary="diffusion posterior sampling")
    summary = "DPS with the distance to the constraint's set as a further term of the likelihood"
    yield tain.Component("cg-dps", CGDPS, summary=summary)
    yield tain.Component("mirror-dps", MirrorDPS, summary="DPS in the space of a mirror map: samples keep the rule")
    summary = "posterior sampling by the denoiser's covariance, in any mirror space: well calibrated"
    yield tain.Component("moment-matching", MomentMatching, summary=summary)
