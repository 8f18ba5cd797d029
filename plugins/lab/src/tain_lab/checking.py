"""`tain check`: which rows of a table break a rule, and by how much."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table as RichTable

import tain
from tain import Constraint
from tain.errors import ConfigurationError
from tain_lab.experiment import read_experiment
from tain_lab.parts import Part, split_rule
from tain_lab.tables import Table, read_table

__all__ = ["check_table"]


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
        table = read_table(Path(experiment.data.file), experiment.data.columns)
        rounding = experiment.data.rounding
    else:
        if name is None:
            raise ConfigurationError(f"{path}: say which rule its rows shall keep, as in --constraint simplex.")
        constraint = tain.create("constraint", name, **dict(map(_setting, values)))
        table = read_table(path, columns.split(",") if columns else None)
        rounding = 0.0
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
    console.print(
        f"{len(x)} rows, {len(explanation.rows)} outside of {constraint} by more than {limit:.3g}; "
        f"mean distance {distance.mean().item():.3g}, largest {distance.max().item():.3g}."
    )
    if not explanation.rows:
        return 0
    listing = RichTable("row", "distance", *table.columns)
    outside = torch.tensor(explanation.rows)
    worst = outside[distance[outside].argsort(descending=True)][:shown]
    for row in worst.tolist():
        listing.add_row(str(row + 1), f"{distance[row].item():.4g}", *(f"{value:g}" for value in x[row].tolist()))
    console.print(listing)
    if len(outside) > len(worst):
        console.print(f"... and {len(outside) - len(worst)} more; --rows shows more of them.")
    return 1


def _setting(text: str) -> tuple[str, Any]:
    """key=value, with the value as in TOML, or as text if it is no TOML."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError(f"--set {text}: must be key=value, as in --set parts=6.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
