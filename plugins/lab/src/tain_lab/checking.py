"""`tain check`: which rows of a table, or of a file of arrays, break a rule, and by how much."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table as RichTable
from torch import Tensor

import tain
from tain import Constraint
from tain.errors import ConfigurationError
from tain_lab.arrays import read_array
from tain_lab.experiment import read_experiment
from tain_lab.parts import Part, split_rule
from tain_lab.tables import Table, read_table
from tain_lab.training_data import chunks

__all__ = ["check_table", "setting"]


def check_table(
    console: Console,
    path: Path,
    name: str | None,
    values: Sequence[str],
    columns: str | None,
    tolerance: float | None,
    shown: int,
) -> int:
    """Print the worst rows. 0 if all rows keep the rule, else 1; arguments as in the command."""
    if path.suffix.lower() == ".toml":
        if name is not None or values or columns is not None:
            raise ConfigurationError(f"{path}: an experiment tells its rule and columns itself; give only the file.")
        experiment = read_experiment(path)
        constraint = experiment.build_constraint()
        file, chosen = Path(experiment.data.file), experiment.data.columns
        rounding = experiment.data.rounding
    else:
        if name is None:
            raise ConfigurationError(f"{path}: say which rule its rows shall keep, as in --constraint simplex.")
        constraint = tain.create("constraint", name, **dict(map(setting, values)))
        file, chosen = path, tuple(columns.split(",")) if columns else None
        rounding = 0.0
    if constraint.event_ndim > 1:
        limit = max(max(rounding) if isinstance(rounding, tuple) else rounding, constraint.tolerance(torch.float32))
        samples = read_array(file, chosen)
        return _print_worst_arrays(console, samples, constraint, limit if tolerance is None else tolerance, shown)
    table = read_table(file, chosen)
    constraint.require_shape(torch.from_numpy(table.values))
    codes = [
        _print_worst(console, _columns(table, part), part.rule, _limit(part, tolerance), shown)
        for part in split_rule(constraint, rounding=rounding)
    ]
    return max(codes)


def _columns(table: Table, part: Part) -> Table:
    return Table(table.columns[part.columns], table.values[:, part.columns])


def _limit(part: Part, tolerance: float | None) -> float:
    # Files hold rounded numbers, so the default is the tolerance of single precision.
    return max(part.rounding, part.rule.tolerance(torch.float32)) if tolerance is None else tolerance


def _print_worst(console: Console, table: Table, constraint: Constraint, limit: float, shown: int) -> int:
    x = torch.from_numpy(table.values)
    explanation = constraint.explain(x, limit)
    distance = constraint.distance(x)
    _print_summary(console, distance, len(explanation.rows), constraint, limit)
    listing = RichTable("row", "distance", *table.columns)
    outside = torch.tensor(explanation.rows, dtype=torch.long)
    worst = outside[distance[outside].argsort(descending=True)][:shown]
    for row in worst.tolist():
        listing.add_row(str(row + 1), f"{distance[row].item():.4g}", *(f"{value:g}" for value in x[row].tolist()))
    return _print_listing(console, listing, len(outside) - len(worst))


def _print_worst_arrays(console: Console, samples: Tensor, constraint: Constraint, limit: float, shown: int) -> int:
    constraint.require_shape(samples[:1].float())
    with torch.no_grad():
        distance = torch.cat([constraint.distance(samples[rows].float()) for rows in chunks(samples)])
    outside = (~(distance <= limit)).nonzero().flatten()
    _print_summary(console, distance, len(outside), constraint, limit)
    listing = RichTable("row", "distance")
    worst = outside[distance[outside].nan_to_num(torch.inf).argsort(descending=True)][:shown]
    for row in worst.tolist():
        listing.add_row(str(row + 1), f"{distance[row].item():.4g}")
    return _print_listing(console, listing, len(outside) - len(worst))


def _print_summary(console: Console, distance: Tensor, outside: int, constraint: Constraint, limit: float) -> None:
    console.print(
        f"{len(distance)} rows, {outside} outside of {constraint} by more than {limit:.3g}; "
        f"mean distance {distance.mean().item():.3g}, largest {distance.max().item():.3g}."
    )


def _print_listing(console: Console, listing: RichTable, more: int) -> int:
    """0 if no row is outside, else 1."""
    if not listing.row_count:
        return 0
    console.print(listing)
    if more:
        console.print(f"... and {more} more; --rows shows more of them.")
    return 1


def setting(text: str) -> tuple[str, Any]:
    """key=value, with the value as in TOML, or as text if it is no TOML."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError(f"--set {text}: must be key=value, as in --set parts=6.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
