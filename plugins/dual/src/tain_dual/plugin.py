"""What tain-dual provides."""

from collections.abc import Iterator

import tain

__all__: list[str] = []


@tain.hookimpl
def tain_solvers() -> Iterator[tain.Component]:
    from tain_dual.solver import DualTraining

    def examples() -> list[DualTraining]:
        return [DualTraining(steps=60, warmup=10), DualTraining(update="ascent", resilience=1.0, warmup=0, steps=40)]

    summary = "fits a model to data while it stays close to other data, by primal-dual training"
    yield tain.Component("dual-training", DualTraining, summary=summary, examples=examples)
