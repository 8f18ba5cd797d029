"""Pictures of samples that are arrays: a grid of images for the data and for each candidate."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from tain_lab.pictures import as_png

__all__ = ["grids"]

_SHOWN = 12  # images of each
_CHANNELS = 2  # of an image that is no colour picture


def grids(data: Tensor, samples: Mapping[str, Tensor]) -> bytes:
    """The first images of the data and of each candidate, (N, C, H, W), in rows of twelve. PNG.

    Three channels are shown as red, green and blue; of any other number the first two, each in a row of its own. All
    rows share the range of values of the data, each channel its own.
    """
    everything = {"data": _images(data), **{key: _images(rows) for key, rows in samples.items()}}
    channels = everything["data"].shape[1]
    lines = [(key, c) for key in everything for c in ([None] if channels == 3 else range(min(channels, _CHANNELS)))]
    height, width = everything["data"].shape[2:]
    tight = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(_SHOWN, len(lines) * min(4.0, max(0.4, height / width)) + 0.2), layout=tight)
    for down, (key, channel) in enumerate(lines):
        low, high = _range(everything["data"], channel)
        for across in range(_SHOWN):
            axes = figure.add_subplot(len(lines), _SHOWN, down * _SHOWN + across + 1)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
            if across == 0:
                axes.set_ylabel(key if channel in (None, 0) else f"channel {channel + 1}", fontsize=8)
            if across >= len(everything[key]):
                continue
            image = ((everything[key][across] - low) / (high - low)).clamp(0, 1)
            if channel is None:
                axes.imshow(image.permute(1, 2, 0).numpy(), interpolation="nearest")
            else:
                axes.imshow(image[channel].numpy(), vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    return as_png(figure)


def _images(rows: Tensor) -> Tensor:
    """The first samples as images of several channels, (n, C, H, W), whatever the number of their dimensions."""
    shown = rows[:_SHOWN].float()
    return shown.reshape(len(shown), -1, *shown.shape[-2:])


def _range(data: Tensor, channel: int | None) -> tuple[Tensor, Tensor]:
    """Nearly the lowest and the highest value, so that a few extreme ones do not make all others grey."""
    values = (data if channel is None else data[:, channel]).flatten()
    low, high = values.quantile(torch.tensor([0.005, 0.995]))
    return low, torch.maximum(high, low + 1e-12 + 1e-6 * low.abs())
