"""[sweep] of an experiment: the same experiment for each combination of listed values, and a table of what came out.

[sweep]
"map.sigma_max" = [0.05, 0.1]
"map.forward_map" = ["icnn", "resnet"]
"""

import copy
import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from tain.atomic import write_text
from tain.errors import ConfigurationError
from tain_lab.experiment import Experiment, experiment_of
from tain_lab.experiment_file import read_record
from tain_lab.run import run_in, set_up
from tain_lab.run_folder import RunFolder, is_finished
from tain_lab.sweep_table import SweepTable

__all__ = ["Point", "has_sweep", "read_sweep", "run_sweep"]


@attrs.frozen
class Point:
    """One combination of values.

    Attributes:
        name: of its folder, unique in the sweep.
        values: by dotted key.
        experiment: with these values.
    """

    name: str
    values: dict[str, Any]
    experiment: Experiment


def has_sweep(path: Path) -> bool:
    """Whether an experiment's file has a table [sweep].

    Raises:
        ConfigurationError: the file is missing or no TOML.
    """
    return "sweep" in read_record(path)


def read_sweep(path: Path) -> tuple[Point, ...]:
    """All combinations of the values that [sweep] lists, the last key varying fastest.

    Raises:
        ConfigurationError: a key has no list of values, or leads through what is no table; or one of the experiments is
            refused, as by `read_experiment`.
    """
    record = read_record(path)
    lists = _lists(record.pop("sweep"), path)
    points = []
    for number, combination in enumerate(itertools.product(*lists.values()), start=1):
        values = dict(zip(lists, combination, strict=True))
        shown = ",".join(f"{key.rpartition('.')[2]}={value}" for key, value in values.items())
        name = f"{number:02d}-{re.sub(r'[^A-Za-z0-9.=,_-]+', '_', shown)[:80]}"
        points.append(Point(name, values, experiment_of(_with(record, values, path), path)))
    return tuple(points)


def run_sweep(
    path: Path, output: Path | None = None, *, overwrite: bool = False, say: Callable[[str], None] = print
) -> tuple[Path, SweepTable]:
    """Run all combinations, each in a folder of its own; what was complete before a stop is not run again.

    Args:
        path: the experiment's TOML file, with a table [sweep].
        output: folder of the results, by default results/NAME in the working directory. It gets sweep.md, sweep.csv
            and a folder for each run.
        overwrite: replace what an earlier run left in the folder.
        say: takes a line of text at each stage.

    Returns:
        The folder, and the table.

    Raises:
        TainError: anything wrong with one of the experiments, the data or the folder; found before anything is written.
    """
    points = read_sweep(path)
    for point in points:  # not one after hours of others
        set_up(point.experiment)
    digest = hashlib.sha256(json.dumps([point.experiment.digest() for point in points]).encode()).hexdigest()
    folder = RunFolder(output or Path("results") / path.stem, digest, overwrite=overwrite)
    shutil.copyfile(path, folder.path / "experiment.toml")
    table = SweepTable(tuple(points[0].values))
    for number, point in enumerate(points, start=1):
        home = folder.path / point.name
        if is_finished(home, point.experiment.digest()):
            say(f"run {number} of {len(points)}, {point.name}: is complete.")
        else:
            say(f"run {number} of {len(points)}, {point.name}:")
            one = RunFolder(home, point.experiment.digest())
            write_text(home / "values.json", json.dumps(point.values, indent=2) + "\n")
            run_in(one, set_up(point.experiment), lambda line: say(f"  {line}"))
        table.add(point.values, json.loads((home / "report.json").read_text(encoding="utf-8")))
        table.write(folder.path)
    folder.finish()
    return folder.path, table


def _lists(table: Any, path: Path) -> dict[str, list[Any]]:
    """The lists of values by dotted key. A key may be quoted, or lead through tables within [sweep]."""
    found: dict[str, list[Any]] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, below in value.items():
                walk(f"{prefix}.{key}" if prefix else key, below)
        elif isinstance(value, list) and value:
            found[prefix] = value
        else:
            raise ConfigurationError(
                f'{path}: [sweep] "{prefix}" is {value!r}, but must be a list of values, as in: "map.sigma_max" = '
                "[0.05, 0.1]"
            )

    walk("", table)
    if not found:
        raise ConfigurationError(f'{path}: [sweep] is empty. Give it a list, as in: "map.sigma_max" = [0.05, 0.1]')
    return found


def _with(record: dict[str, Any], values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The record with other values."""
    changed = copy.deepcopy(record)
    for key, value in values.items():
        *tables, last = key.split(".")
        place = changed
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise ConfigurationError(f"{path}: [sweep] \"{key}\": '{table}' is no table.")
        place[last] = value
    return changed
