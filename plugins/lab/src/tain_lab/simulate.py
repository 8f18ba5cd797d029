"""`tain simulate`: data of a simulator, into an array file, with a record of how they were made."""

import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console, RenderableType
from rich.table import Table
from torch import Tensor

from tain import Component, Configured, configuration, parameters
from tain.atomic import beside, write_text
from tain.errors import ConfigurationError, DataError, ShapeError
from tain.fields import shown
from tain.plugin_record import Plugin
from tain.strict_json import dumps
from tain_lab.checking import setting
from tain_lab.datasets import Dataset, create_dataset, dataset_records, find_dataset
from tain_lab.metrics import distances_of
from tain_lab.progress import rows_bar

__all__ = ["simulate_to_file", "tell_datasets"]

ROWS_AT_ONCE = 64


def simulate_to_file(
    name: str, options: Sequence[str], rows: int, seed: int, output: Path, *, overwrite: bool = False
) -> list[str]:
    """Make rows and write them, with a JSON file beside them. Arguments as in the command.

    Rows are made and written a few at a time, so that they need not fit into memory. Both files appear whole, at the
    end, or not at all.

    Returns:
        Lines that tell what was made.

    Raises:
        ConfigurationError: an option that the data set does not take, a value beyond its limit.
        UnknownNameError: there is no such data set.
        DataError: the file exists, or cannot be written.
        ShapeError: the simulator makes rows of another shape than it says.
    """
    if rows < 1:
        raise ConfigurationError(f"--rows is {rows}, but must be at least 1.")
    if seed < 0:
        raise ConfigurationError(f"--seed is {seed}, but must be at least 0.")
    record = _require_free(output, overwrite)
    plugin, component = find_dataset(name)
    dataset = create_dataset(name, dict(map(setting, options)))
    assert isinstance(dataset, Configured)  # or it would not have been found
    with Console(stderr=True).status(f"{name}: the rule"):  # first, since it may be missing, or have to be trained
        constraint = dataset.constraint
    tolerance, outside, largest = 0.0, 0, 0.0
    start, temporary = time.perf_counter(), beside(output)
    try:
        array = np.lib.format.open_memmap(temporary, "w+", np.float32, (rows, *dataset.event_shape))
        with rows_bar(name, rows) as done:
            for first in range(0, rows, ROWS_AT_ONCE):
                made = _made(dataset, component, first, min(ROWS_AT_ONCE, rows - first), seed)
                array[first : first + len(made)] = made.numpy()
                finite = made.flatten(1).isfinite().all(1)  # which a rule may overlook
                distance = torch.where(finite, distances_of(made, constraint), torch.nan)
                tolerance = constraint.tolerance(made.dtype)
                outside += int((~(distance <= tolerance)).sum())
                largest = float(np.maximum(largest, distance.max().item()))  # NaN stays NaN
                done(len(made))
        seconds = time.perf_counter() - start
        told = {
            "dataset": name,
            "options": {key: _told(value) for key, value in configuration(dataset).items()},
            "seed": seed,
            "shape": array.shape,
            "dtype": str(array.dtype),
            "rule": str(constraint),
            "largest_distance": largest,
            "tolerance": tolerance,
            "rows_outside": outside,
            "seconds": round(seconds, 3),
            "versions": _versions(plugin),
        }
        text = dumps(told, indent=2) + "\n"
        array.flush()
        os.replace(temporary, output)
        write_text(record, text)
    finally:
        temporary.unlink(missing_ok=True)
    return [
        f"{rows} rows of {name} written to {output}: shape {array.shape}, {array.dtype}, {seconds:.1f} s.",
        f"Rule {constraint}: largest distance {largest:.3g}, {outside} rows beyond its tolerance of {tolerance:.3g}.",
    ]


def _require_free(output: Path, overwrite: bool) -> Path:
    """Refuse a file that cannot be written; returns the name of the JSON file beside it."""
    if output.suffix.lower() != ".npy":
        raise DataError(f"{output}: data are written as NPY, so the name must end in .npy.")
    if not output.parent.is_dir():
        raise DataError(f"{output.parent}: no such folder.")
    record = output.with_suffix(".json")
    for file in (output, record):
        if file.is_dir() or (file.exists() and not overwrite):
            raise DataError(f"{file}: exists. Give another file, or --overwrite to replace it.")
    return record


def _made(dataset: Dataset, component: Component, first: int, count: int, seed: int) -> Tensor:
    """Some rows, float32, as the simulator promises them."""
    made = dataset.simulate(count, rng=seed, first=first)
    wanted = (count, *dataset.event_shape)
    if not isinstance(made, Tensor) or tuple(made.shape) != wanted:
        found = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
        raise ShapeError(f"{component.target.__name__}.simulate: returned {found}, but must return a tensor {wanted}.")
    return made.detach().float()


def _told(value: Any) -> Any:
    """A value of an option, or what JSON has no word for as in a sentence."""
    return value if isinstance(value, bool | int | float | str | tuple | None) else shown(value)


def _versions(plugin: Plugin) -> dict[str, str]:
    found = {name: version(name) for name in ("tain", "tain-lab", "torch", "numpy")}
    return {"python": platform.python_version(), **found, plugin.distribution: plugin.version}


def tell_datasets() -> RenderableType:
    """Every data set, with its options and their defaults."""
    table = Table("data set", "what it is", "options", "distribution")
    table.columns[0].no_wrap = True  # it is to be copied
    for plugin, record in dataset_records():
        options = [
            parameter.name if parameter.required else f"{parameter.name}={shown(parameter.default)}"
            for parameter in parameters(record.target)
        ]
        table.add_row(record.name, record.summary, ", ".join(options) or "-", plugin.distribution)
    return table
