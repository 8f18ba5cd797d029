"""The picture of a rule in the bench namm: samples, residuals, distances and learning curves of all methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tain_lab.pictures import as_png

__all__ = ["ACROSS", "Shown", "picture"]

ACROSS = 8
"""Samples of each method that are shown."""

_COLOURS = {
    "held-out data": "#5b6472",
    "baseline": "#d9822b",
    "NAMM": "#2a9d6f",
    "NAMM finetuned": "#8b5fbf",
    "NAMM refined": "#c0392b",
    "exact map": "#0f6fc6",
    "map": "#2a9d6f",
    "finetuning": "#8b5fbf",
    "mirror diffusion": "#2a9d6f",
}
_OF_MAPS = ("map", "finetuning")  # each has a loss of its own


@attrs.frozen(eq=False)
class Shown:
    """What a picture is made of.

    Attributes:
        rule: its name.
        samples: images (N, C, H, W) by method, the data first. Their first channel is shown.
        distances: what the histograms are of, (N,) by method.
        residuals: sizes (n, h, w) by method, of the first samples; empty if the rule has none at a pixel.
        losses: of each step, by training.
    """

    rule: str
    samples: Mapping[str, Tensor]
    distances: Mapping[str, Tensor]
    residuals: Mapping[str, Tensor]
    losses: Mapping[str, Sequence[float]]


def picture(shown: Shown) -> bytes:
    """Samples beside their residuals, above histograms of distance and learning curves. PNG."""
    figure = Figure(figsize=(14 if shown.residuals else 8.5, 0.95 * len(shown.samples) + 6.0), layout="constrained")
    heights = [0.95 * len(shown.samples) + 0.4, 2.8, 2.4]
    panels: Any = figure.subfigures(3, 1, height_ratios=heights)
    above, middle, below = panels
    if shown.residuals:
        left, right = above.subfigures(1, 2, wspace=0.02)
        _residuals(right, shown)
    else:
        left = above
    _samples(left, shown)
    _distances(middle, shown)
    _curves(below, shown)
    return as_png(figure)


def _samples(figure: Any, shown: Shown) -> None:
    """A row of images for each method; the range of values is that of the data."""
    data = next(iter(shown.samples.values()))[:, 0].flatten().double()
    low, high = data.quantile(torch.tensor([0.005, 0.995]).double()).tolist()
    figure.suptitle(f"{shown.rule}: samples", fontsize=11)
    rows = {key: x[:, 0] for key, x in shown.samples.items()}
    _rows(figure, rows, {"vmin": low, "vmax": max(high, low + 1e-12), "cmap": "viridis"})


def _residuals(figure: Any, shown: Shown) -> None:
    """A row of residuals for each method, in decades below the largest of the baseline."""
    top = float(shown.residuals["baseline"].max().clamp_min(1e-12).log10())
    figure.suptitle(f"|residual|, from {10**top:.1e} (bright) to a millionth of that (dark)", fontsize=11)
    rows = {key: x.clamp_min(1e-30).log10() for key, x in shown.residuals.items()}
    _rows(figure, rows, {"vmin": top - 6, "vmax": top, "cmap": "magma"})


def _rows(figure: Any, rows: Mapping[str, Tensor], style: Mapping[str, Any]) -> None:
    """A line of images (n, h, w) for each key."""
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for place, (key, images) in zip(axes, rows.items(), strict=True):
        apart = torch.nn.functional.pad(images[:ACROSS], (0, 1), value=torch.nan)  # a column of nothing between them
        place.imshow(torch.cat(list(apart), 1)[:, :-1].numpy(), interpolation="nearest", aspect="auto", **style)
        place.set_xticks([])
        place.set_yticks([])
        place.set_frame_on(False)
        place.set_ylabel(key.replace(" ", "\n"), fontsize=8)


def _distances(figure: Any, shown: Shown) -> None:
    """Histograms on a logarithmic axis; what is below a ten millionth of the largest is shown at the left edge."""
    axes = figure.subplots()
    top = max(float(d.max()) for d in shown.distances.values())
    floor = max(top, 1e-30) * 1e-7
    logs = {key: d.clamp_min(floor).log10() for key, d in shown.distances.items()}
    low = torch.tensor(floor).log10().item() - 0.05
    bins = torch.linspace(low, low + 7.1, 143).tolist()
    for key, values in logs.items():
        filled = {"histtype": "stepfilled", "alpha": 0.35} if key == "held-out data" else {"histtype": "step"}
        axes.hist(values.numpy(), bins=bins, color=_COLOURS[key], linewidth=1.4, label=key, **filled)
    axes.set_yscale("log")
    axes.set_xlabel("100 lambda times the distance to the set, log10 (left edge: that or less)", fontsize=9)
    axes.set_ylabel("samples", fontsize=9)
    axes.set_title(f"{shown.rule}: distance of the samples to the set", fontsize=11)
    axes.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)


def _curves(figure: Any, shown: Shown) -> None:
    """The loss of each training, averaged over hundredths of it; each map's in a panel of its own."""
    diffusions = {key: losses for key, losses in shown.losses.items() if key not in _OF_MAPS}
    panels = {"generators": diffusions, **{key: {key: shown.losses[key]} for key in _OF_MAPS if key in shown.losses}}
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for place, (title, panel) in zip(axes, panels.items(), strict=True):
        for key, losses in panel.items():
            width = max(1, len(losses) // 100)
            means = torch.tensor(losses[: len(losses) // width * width]).view(-1, width).mean(1)
            steps = (torch.arange(len(means)) + 0.5) * width
            place.plot(steps.numpy(), means.numpy(), color=_COLOURS[key], label=key)
        place.set_yscale("log")
        place.set_title(f"learning curve: {title}", fontsize=10)
        place.set_xlabel("step", fontsize=9)
        place.legend(loc="upper right", fontsize=8, frameon=False)
