"""The bench namm: the rules of the paper on neural approximate mirror maps, learned, exact, and without a map.

Five ways to samples are compared for each rule: a diffusion model of the data themselves (the baseline), the learned
map with a diffusion model of its images, the same once the map's inverse was finetuned, the same with each sample then
refined by steps on the rule, and the exact map where there is one. The baseline is trained for as long as map, mirror
diffusion and finetuning together.

Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from torch import Tensor

from tain import Constraint
from tain_lab.bench.discrepancy import gaussian_mmd, kernel_distance
from tain_lab.bench.kept import Kept
from tain_lab.bench.lite0 import INSTALL, available, lite0_features
from tain_lab.bench.methods import METHODS, Methods, learned_maps
from tain_lab.bench.namm_pictures import ACROSS, Shown, picture
from tain_lab.bench.namm_verdict import improvement, verdict
from tain_lab.bench.record import Bench, BenchSettings, Figures, Result
from tain_lab.bench.rules import HELD_OUT, RULES, RuleCase, require_installed
from tain_lab.features import features
from tain_lab.metrics import distances_of

__all__ = ["BENCH", "measure_rule"]

_SIZE = 32
_DATA = "held-out data"


def _measure(case: str, settings: BenchSettings, folder: Path) -> Result:
    require_installed("namm", "tain-science", "tain-namm", "tain-diffusion")
    return measure_rule(case, RULES[case], settings, folder)


def measure_rule(
    case: str, entry: RuleCase, settings: BenchSettings, folder: Path, *, size: int = _SIZE, judged: int = HELD_OUT
) -> Result:
    """Measure one rule.

    Args:
        case: its name.
        entry: the rule.
        settings: of the bench.
        folder: for data and trained parts, from which a stopped measurement goes on.
        size: height and width of the images.
        judged: rows held out, and samples compared with them at the most.
    """
    kept = Kept(folder)
    rule, data, moved = _data(entry, size, judged + entry.training_rows, settings.seed, kept)
    train, held_out = data[judged:], data[:judged]
    methods = Methods(entry, case, rule, train, settings, kept)
    methods.train()
    images = methods.images(min(settings.rows, judged))
    samples = methods.samples(images)
    weight = _weight(case)
    distances = {key: distances_of(x, rule).double() for key, x in {_DATA: held_out, **samples}.items()}
    quality = _quality({_DATA: train[:judged], **samples}, held_out)
    figures = {
        "rule": case,
        "methods": {
            key: {"mean": float(100 * weight * d.mean()), "deviation": float(100 * weight * d.std()), **quality[key]}
            for key, d in distances.items()
        },
        "relative": {key: float(d.max()) / entry.unit(rule, held_out) for key, d in distances.items()},
        "weight": weight,
        "bounds": methods.bounds(held_out, images),
        "steps": {key: len(part.losses) for key, part in methods.parts.items()},
        "seconds": {key: part.seconds for key, part in methods.parts.items()} | {"drawing for it": methods.drawing},
        "weights": {key: _weights(part.model) for key, part in methods.parts.items()},
        "rows": len(train),
        "moved": moved,
        "goal": attrs.asdict(entry.goal),
    }
    everything = {_DATA: held_out, **samples}
    shown = Shown(
        case,
        everything,
        {key: 100 * weight * d for key, d in distances.items()},
        {key: entry.residual(rule, x[:ACROSS]) for key, x in everything.items()} if entry.residual else {},
        {key: part.losses for key, part in methods.parts.items()},
    )
    return Result(figures, picture(shown))


def _data(entry: RuleCase, size: int, count: int, seed: int, kept: Kept) -> tuple[Constraint, Tensor, float]:
    """The rule and the rows, simulated once; and by how much they were moved."""
    found: dict[str, Any] = {}

    def simulated() -> Tensor:
        found["rule"], rows, found["moved"] = entry.simulated(size, count, seed)
        kept.component("rule", lambda: found["rule"])
        kept.plain("moved", lambda: found["moved"])
        return rows

    rows = kept.array("data", simulated)  # the last to be written, so whatever else it needs is there
    return kept.loaded("rule"), rows, kept.plain("moved", float)


def _quality(candidates: Mapping[str, Tensor], held_out: Tensor) -> dict[str, dict[str, float | None]]:
    """MMD and KID-Lite0 of each candidate's images to the held-out ones."""
    low, high = held_out.min().item(), held_out.max().item()
    reference = features(held_out)
    seen = lite0_features(held_out, low, high) if available() else None
    return {
        key: {
            "MMD": gaussian_mmd(features(x), reference),
            "KID": None if seen is None else kernel_distance(lite0_features(x, low, high), seen),
        }
        for key, x in candidates.items()
    }


def _weight(case: str) -> float:
    """The paper's lambda."""
    namm = learned_maps()
    return float(namm.recipe(case, namm.PAPER).mirror["constraint_weight"])


def _weights(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _row(figures: Figures) -> dict[str, str]:
    methods, seconds = figures["methods"], figures["seconds"]
    base = methods["baseline"]

    def cell(key: str) -> str:
        if key not in methods:
            return "none"
        found = methods[key]
        told = [f"{found['mean']:.3g} ± {found['deviation']:.2g}"]
        if key not in (_DATA, "baseline"):
            told.append(f"{improvement(figures, key):.4g}% better")
        beside = f" = {found['MMD'] / base['MMD']:.2f}" if key != "baseline" and base["MMD"] else ""
        told.append(f"MMD {found['MMD']:.3g}{beside}")
        told.append(f"KID-Lite0 {found['KID']:.3g}" if found["KID"] is not None else f"KID-Lite0: {INSTALL}")
        return "; ".join(told)

    named = ", ".join(f"{key} {seconds[key]:.0f} s" for key in seconds if key not in ("baseline", "exact map"))
    alone = ", ".join(f"{key} {seconds[key]:.0f} s" for key in ("baseline", "exact map") if key in seconds)
    relative = figures["relative"].get("exact map")
    return {
        **{key: cell(key) for key in (_DATA, *METHODS)},
        "exact map: largest distance, relative": "" if relative is None else f"{relative:.1e}",
        "finetuned map: measured bounds": ", ".join(f"{key} {value:.2g}" for key, value in figures["bounds"].items()),
        "training": f"{named}; {alone}",
    }


BENCH = Bench(
    name="namm",
    summary="the five rules of the paper on neural approximate mirror maps: learned, exact, and without a map",
    cases=tuple(RULES),
    measure=_measure,
    row=_row,
    verdict=verdict,
    goes_on=True,
    notes=(
        "First in a cell: 100 lambda times the distance to the set, mean and standard deviation over the samples, with "
        "the paper's lambda (0.01 for brightness and count, else 1). Better: in percent of the baseline's mean. At "
        f"most {HELD_OUT} samples are looked at, whatever --rows. Images are {_SIZE} x {_SIZE}.",
        "MMD to held-out data: root of the unbiased squared discrepancy (0 where that is negative), with a Gaussian "
        "kernel as wide as the median distance of held-out data, on pixels (of flows averaged to 1024 numbers); then "
        "its ratio to the baseline's. In the column of held-out data it is that of training data.",
        "KID-Lite0: unbiased kernel distance of features of EfficientNet-Lite0, trained on ImageNet. Images are "
        "enlarged to 128 pixels, grey ones taken as three equal channels; of flows every fourth channel (the component "
        "across of every second snapshot) is taken as a grey image, and their features are averaged.",
        "Mirror diffusion, baseline and, on images, the exact map's model are one network, trained on the same rows. "
        "Baseline: as many steps as take at least the time of map, mirror diffusion and finetuning together; exact "
        "map: as many steps as the baseline. Training is in processor time. Relative: to the total, or to the root "
        "mean square of the data.",
        "Count: the counting network errs, so the simulated images were moved by the least that makes it count right.",
        "Rules and lambda: Neural Approximate Mirror Maps (https://arxiv.org/abs/2406.12816); data are ours.",
    ),
)
