"""The pictures of a report, drawn with matplotlib on no screen."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from tain import Constraint
from tain_lab.metrics import distances_of

__all__ = ["as_png", "distances_to_set", "losses", "marginals", "principal_plane"]

_COLOURS = {
    "data": "#5b6472",
    "samples": "#0f6fc6",
    "baseline": "#d9822b",
    "map": "#2a9d6f",
    "finetuning": "#8b5fbf",
}
_OF_MAPS = ("map", "finetuning")
_LEGEND: dict[str, Any] = {"loc": "best", "fontsize": 8, "frameon": False}
"""`loc` is named, since matplotlib warns on a slow machine if it has to choose."""


def marginals(data: Tensor, samples: dict[str, Tensor], columns: Sequence[str]) -> bytes:
    """A histogram for each column: real rows filled, each candidate's samples as a line. PNG."""
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    figure = Figure(figsize=(3.4 * across, 2.3 * down + 0.4), layout="constrained")
    for index, name in enumerate(columns):
        axes = figure.add_subplot(down, across, index + 1)
        low, high = data[:, index].quantile(torch.tensor([0.0, 0.995], dtype=data.dtype)).tolist()
        bins = torch.linspace(low - 0.02 * (high - low), high + 1e-9, 41).tolist()
        axes.hist(
            data[:, index].numpy(), bins=bins, density=True, color=_COLOURS["data"], alpha=0.35, label="real rows"
        )
        for key, rows in samples.items():
            axes.hist(
                rows[:, index].numpy(),
                bins=bins,
                density=True,
                histtype="step",
                color=_COLOURS[key],
                linewidth=1.4,
                label=key,
            )
        axes.set_title(name, fontsize=10)
        axes.set_yticks([])
        if index == 0:
            axes.legend(**_LEGEND)
    return as_png(figure)


def principal_plane(data: Tensor, samples: dict[str, Tensor]) -> bytes:
    """Real rows (N, C) and each candidate's samples in the plane of the real rows' two principal components. PNG."""
    panels = {"real rows": data, **{key: rows[: len(data)] for key, rows in samples.items()}}
    centre = data.mean(dim=0)
    plane = torch.linalg.svd(data - centre, full_matrices=False).Vh[:2].T
    figure = Figure(figsize=(3.4 * len(panels), 3.4), layout="constrained")
    first = None
    for index, (key, rows) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), index + 1, sharex=first, sharey=first)
        first = first or axes
        flat = (rows - centre) @ plane
        axes.scatter(flat[:, 0].numpy(), flat[:, -1].numpy(), s=3, alpha=0.4, color=_COLOURS.get(key, _COLOURS["data"]))
        axes.set_title(f"{key} ({len(rows)})", fontsize=10)
        axes.set_xlabel("first principal component", fontsize=8)
        axes.tick_params(labelsize=7)
    return as_png(figure)


def distances_to_set(samples: dict[str, Tensor], constraint: Constraint) -> bytes:
    """Histograms of each candidate's distances to the set, on a logarithmic axis. PNG."""
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    axes = figure.add_subplot()
    tolerance = constraint.tolerance(torch.float32)
    floor = tolerance / 100  # a distance of zero has no place on a logarithmic axis
    found = {key: distances_of(rows, constraint).clamp_min(floor).log10() for key, rows in samples.items()}
    high = max(1.0 + torch.tensor(tolerance).log10().item(), *(values.max().item() for values in found.values()))
    bins = torch.linspace(torch.tensor(floor).log10().item(), high, 61).tolist()
    for key, values in found.items():
        axes.hist(values.numpy(), bins=bins, color=_COLOURS[key], alpha=0.7, label=key)
    axes.axvline(torch.tensor(tolerance).log10().item(), color="black", linewidth=1, linestyle=":", label="tolerance")
    axes.set_xlabel("distance to the set, log10 (left edge: zero)", fontsize=9)
    axes.set_ylabel("samples", fontsize=9)
    axes.legend(**_LEGEND)
    return as_png(figure)


def losses(histories: Mapping[str, Sequence[float]]) -> bytes:
    """The loss of each training, averaged over hundredths of it. PNG.

    Those of a learned map and of its finetuning are other losses, and have a panel of their own.
    """
    generators = {key: history for key, history in histories.items() if key not in _OF_MAPS}
    panels = [generators, *({key: histories[key]} for key in _OF_MAPS if key in histories)]
    figure = Figure(figsize=(6.8 if len(panels) == 1 else 3.4 * len(panels), 2.4), layout="constrained")
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        for key, history in panel.items():
            width = max(1, len(history) // 100)
            means = torch.tensor(history[: len(history) // width * width]).reshape(-1, width).mean(dim=1)
            steps = (torch.arange(len(means)) + 0.5).numpy() * width
            axes.plot(steps, means.numpy(), color=_COLOURS[key], label=key)
        axes.set_xlabel("step", fontsize=9)
        axes.set_ylabel("loss", fontsize=9)
        axes.legend(**_LEGEND)
    return as_png(figure)


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    return content.getvalue()
