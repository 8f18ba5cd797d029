"""The bench mirror-suite: the classic sets of mirror diffusion, each beside what data themselves reach.

Three models are compared with new data: the generator behind the mirror map of the set; the same generator, trained as
long on the very rows, without a mirror map (the baseline); and the baseline with its samples outside of the set
rejected. So are further data, since two sets of the same law are not at distance zero.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor

import tain
from tain import Constraint, Generator, Mirrored
from tain_lab.bench.distances import compare_large
from tain_lab.bench.models import TRAINING_ROWS, build, trained
from tain_lab.bench.record import Bench, BenchSettings, Figures, Result
from tain_lab.bench.sets import SETS
from tain_lab.metrics import keep_rule
from tain_lab.pictures import principal_plane
from tain_lab.randomness import stream

__all__ = ["BENCH", "GOAL"]

GOAL = 1.3
"""Largest Sinkhorn divergence that counts as reached, in those of data to data."""

_EVALUATIONS = 50  # a sample
_MOST_DRAWS = 3  # baseline samples that rejection may draw, for each one that it must keep
_SHOWN = 2000  # points in a picture


def _measure(case: str, settings: BenchSettings) -> Result:
    entry = SETS[case]
    rule = entry.constraint()
    mirror, draw = entry.mirror_map(rule), entry.law(rule)
    train = draw(TRAINING_ROWS, stream(settings.seed, case, "train"))
    shape = tuple(train.shape[1:])
    options = {"evaluations": _EVALUATIONS}
    generator = build(settings.generator, mirror.mirror_shape(shape), settings.seed, tails=entry.tails, **options)
    ours = trained(Mirrored(mirror, generator), train, settings, case)
    baseline = trained(build(settings.generator, shape, settings.seed, **options), train, settings, f"{case}, baseline")

    rows = settings.rows
    held_out = draw(rows, stream(settings.seed, case, "held out"))
    compared: dict[str, list[dict[str, float]]] = {}
    for repeat in range(settings.repeats):
        drawn = {
            "samples": ours.model.sample(rows, rng=stream(settings.seed, case, "samples", repeat)),
            "data": draw(rows, stream(settings.seed, case, "data", repeat)),
        }
        if repeat == 0:  # the others are only to be seen beside: once is enough
            first = drawn
            drawn["baseline"] = baseline.model.sample(rows, rng=stream(settings.seed, case, "baseline"))
            kept, share = _rejected(baseline.model, rule, rows, stream(settings.seed, case, "rejection"))
            drawn |= {} if kept is None else {"rejection": kept}
        for name, distances in compare_large(drawn, held_out).items():
            compared.setdefault(name, []).append(distances)

    shown = {name: first[name][:_SHOWN] for name in ("samples", "baseline")}
    return Result(
        {
            "note": entry.note,
            "mirror": tain.identify(mirror).name,
            "tails": entry.tails,
            "distances": {name: _means(each) for name, each in compared.items()},
            "outside": {name: keep_rule(first[name], rule).outside for name in ("samples", "baseline")},
            "kept by rejection": share,
            "training": {"seconds": ours.seconds, "steps a second": ours.steps_a_second},
            "evaluations": tain.configuration(generator).get("evaluations", 1),
            "weights": sum(parameter.numel() for parameter in generator.parameters()),
        },
        principal_plane(held_out[:_SHOWN], shown),
    )


def _rejected(model: Generator, rule: Constraint, rows: int, rng: torch.Generator) -> tuple[Tensor | None, float]:
    """The first samples of a model that are in the set, if there are enough, and the share that was."""
    inside: list[Tensor] = []
    drawn = 0
    while sum(map(len, inside)) < rows and drawn < _MOST_DRAWS * rows:
        samples = model.sample(rows, rng=rng)
        inside.append(samples[rule.contains(samples)])
        drawn += rows
    kept = torch.cat(inside)
    return kept[:rows] if len(kept) >= rows else None, len(kept) / drawn


def _means(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(distances[name] for distances in each) for name in each[0]}


def _row(figures: Figures) -> dict[str, str]:
    distances, training = figures["distances"], figures["training"]

    def beside(name: str) -> str:
        ours, data = distances["samples"][name], distances["data"][name]
        return f"{ours:.4g} / {data:.4g} = {ours / data:.2f}"

    def times_data(candidate: str) -> str:
        if candidate not in distances:
            return "none kept"
        return f"{distances[candidate]['Sinkhorn'] / distances['data']['Sinkhorn']:.2f}"

    return {
        "Sinkhorn / of data": beside("Sinkhorn"),
        "sliced / of data": beside("sliced"),
        "MMD / of data": beside("MMD"),
        "outside": _percent(figures["outside"]["samples"]),
        "steps/s": f"{training['steps a second']:.0f}",
        "training": f"{training['seconds']:.0f} s",
        "evaluations": str(figures["evaluations"]),
        "baseline: Sinkhorn": times_data("baseline"),
        "baseline: outside": _percent(figures["outside"]["baseline"]),
        "rejection: Sinkhorn": times_data("rejection"),
        "rejection: kept": _percent(figures["kept by rejection"]),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _verdict(all_figures: Sequence[Figures]) -> str:
    ratios = [f["distances"]["samples"]["Sinkhorn"] / f["distances"]["data"]["Sinkhorn"] for f in all_figures]
    reached = sum(ratio <= GOAL for ratio in ratios)
    outside = max(figures["outside"]["samples"] for figures in all_figures)
    longest = max(figures["training"]["seconds"] for figures in all_figures)
    return (
        f"{reached} of {len(ratios)} sets reach a Sinkhorn divergence of at most {GOAL} times that of data to data; "
        f"the largest is {max(ratios):.2f} times. At most {_percent(outside)} of the samples of a set are outside. "
        f"The longest training took {longest:.0f} s."
    )


BENCH = Bench(
    name="mirror-suite",
    summary="the classic sets of mirror diffusion: balls, simplices, cubes, a polytope",
    cases=tuple(SETS),
    measure=_measure,
    row=_row,
    verdict=_verdict,
    notes=(
        "Distances are those to new data, in standard deviations of each column, of as many samples and of as many "
        "further data; means over the repeats. Baseline and rejection: Sinkhorn in units of that of data. Training is "
        "in processor time.",
        "Baseline: the same generator without a mirror map, trained as long on the same rows. Rejection: its samples "
        "inside the set. On a simplex none is, since sums of numbers that were drawn are never one.",
        "Sets: Mirror Diffusion Models (https://arxiv.org/abs/2310.01236), Mirror Flow Matching "
        "(https://arxiv.org/abs/2510.08929); the mixtures' exact numbers are ours, see tain_lab/bench/sets.py.",
    ),
)
