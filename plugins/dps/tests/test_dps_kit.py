"""The property tests of tain on all four solvers."""

from tain.testing import parametrize_checks
from tain_dps import CGDPS, DPS, MirrorDPS, MomentMatching


@parametrize_checks(
    DPS(steps=50), CGDPS(steps=50), MirrorDPS(steps=50), MomentMatching(steps=50), MomentMatching(eta=0.0)
)
def test_kit(subject, check):
    check(subject)
