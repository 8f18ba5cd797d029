"""What tain-langevin provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_solvers() -> Iterator[tain.Component]:
    import torch

    from tain.testing import Subject
    from tain_langevin.dual_langevin import DualLangevin
    from tain_langevin.hit_and_run import HitAndRun
    from tain_langevin.mirror_langevin import MirrorLangevin
    from tain_langevin.projected_langevin import ProjectedLangevin

    origin = torch.zeros(1, 2)

    def mirror() -> list[MirrorLangevin]:
        exact = MirrorLangevin(chains=20, draws=200, warmup=200, start=origin)
        rough = MirrorLangevin(20, 200, 100, adjusted=False, substeps=2, step_size=0.1, start=origin)
        return [exact, rough]

    def dual() -> list[DualLangevin]:
        return [DualLangevin(chains=20, draws=200, warmup=200, start=origin)]

    def projected() -> list[Subject]:
        checks = ("gaussian-target", "solver-follows-its-seed", "solver-tells-its-steps", "problem-is-unchanged")
        reason = "the density of these checks lives on a rule that is not Projectable"
        solver = ProjectedLangevin(0.1, chains=20, draws=400, warmup=100, start=origin)
        return [Subject(solver, expected_failures=dict.fromkeys(checks, reason))]

    def chords() -> list[HitAndRun]:
        return [HitAndRun(chains=50, draws=60, warmup=10, start=origin)]

    summary = "noise with the Hessian of the potential as its covariance, for Legendre maps"
    yield tain.Component("mirror-langevin", MirrorLangevin, summary=summary, examples=mirror)
    summary = "Langevin dynamics of the mirror images' density, for all bijective maps"
    yield tain.Component("dual-langevin", DualLangevin, summary=summary, examples=dual)
    summary = "steps of Langevin dynamics, projected onto the set: a baseline"
    yield tain.Component("projected-langevin", ProjectedLangevin, summary=summary, examples=projected)
    summary = "random places on random chords: for uniform densities, and others"
    yield tain.Component("hit-and-run", HitAndRun, summary=summary, examples=chords)
