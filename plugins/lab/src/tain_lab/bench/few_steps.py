"""The bench few-steps: whether samples of few network evaluations are as good as those of many, of the same model."""

from collections.abc import Sequence
from statistics import fmean

import tain
from tain import Mirrored
from tain_lab.bench.distances import compare_large
from tain_lab.bench.models import TRAINING_ROWS, build, trained
from tain_lab.bench.record import Bench, BenchSettings, Figures, Result
from tain_lab.bench.sets import SETS
from tain_lab.randomness import stream

__all__ = ["BENCH", "FEW", "GOAL", "MANY"]

FEW, MANY = 20, 1000
GOAL = 1.1
"""Largest Sinkhorn divergence of few evaluations that counts as reached, in those of many."""


def _measure(case: str, settings: BenchSettings) -> Result:
    entry = SETS[case]
    rule = entry.constraint()
    mirror, draw = entry.mirror_map(rule), entry.law(rule)
    train = draw(TRAINING_ROWS, stream(settings.seed, case, "train"))
    shape = mirror.mirror_shape(tuple(train.shape[1:]))
    models = {
        count: Mirrored(
            mirror,
            build(settings.generator, shape, settings.seed, evaluations=count, tails=entry.tails),
        )
        for count in (FEW, MANY)
    }
    training = trained(models[FEW], train, settings, case)
    models[MANY].load_state_dict(models[FEW].state_dict())

    names = [f"{count} evaluations" for count in (FEW, MANY)]
    found: dict[str, list[float]] = {name: [] for name in (*names, "data")}
    for repeat in range(settings.repeats):
        held_out = draw(settings.rows, stream(settings.seed, case, "held out", repeat))
        drawn = {"data": draw(settings.rows, stream(settings.seed, case, "data", repeat))}
        for name, model in zip(names, models.values(), strict=True):
            # The same noise for both: what differs is the number of steps alone.
            drawn[name] = model.eval().sample(settings.rows, rng=stream(settings.seed, case, "samples", repeat))
        for name, distances in compare_large(drawn, held_out).items():
            found[name].append(distances["Sinkhorn"])
    return Result(
        {
            "mirror": tain.identify(mirror).name,
            "Sinkhorn": {name: fmean(values) for name, values in found.items()},
            "training": {"seconds": training.seconds},
        }
    )


def _ratio(figures: Figures) -> float:
    few, many = (figures["Sinkhorn"][f"{count} evaluations"] for count in (FEW, MANY))
    return float(few / many)


def _row(figures: Figures) -> dict[str, str]:
    cells = {f"Sinkhorn, {name}": f"{value:.4g}" for name, value in figures["Sinkhorn"].items()}
    return {**cells, f"{FEW} / {MANY}": f"{_ratio(figures):.3f}", "training": f"{figures['training']['seconds']:.0f} s"}


def _verdict(all_figures: Sequence[Figures]) -> str:
    ratios = [_ratio(figures) for figures in all_figures]
    return (
        f"On {sum(ratio <= GOAL for ratio in ratios)} of {len(ratios)} sets {FEW} evaluations reach a Sinkhorn "
        f"divergence of at most {GOAL} times that of {MANY}; the largest is {max(ratios):.3f} times."
    )


BENCH = Bench(
    name="few-steps",
    summary=f"{FEW} network evaluations a sample against {MANY} of the same model",
    cases=("moons", "ball-6", "simplex-7", "cube-3", "polytope-10"),
    measure=_measure,
    row=_row,
    verdict=_verdict,
    notes=("Sinkhorn divergences to new data, in standard deviations of each column; means over the repeats.",),
)
