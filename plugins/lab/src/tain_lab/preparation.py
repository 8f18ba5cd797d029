"""From a table of measurements to training data that keep the rule exactly, with an account of what was changed.

Real tables break an exact rule in two harmless ways: by rounding, and by zeros that stand for "below what can be
detected", where mirror maps are infinite. Both are mended by the constraint's own retraction, within limits that the
experiment states. Whatever breaks the rule by more is refused, and no row is ever dropped.
"""

import attrs
import numpy as np
import torch
from torch import Tensor

from tain import Constraint, Legendre, MirrorMap, Projectable, Retractable
from tain.errors import ConfigurationError, DataError
from tain_lab.randomness import stream
from tain_lab.tables import Table

__all__ = ["Prepared", "Treatment", "prepare"]

REPLACEMENT = 0.65
"""Share of the detection limit that stands for a value below it, as in the paper that `prepare` names."""


@attrs.frozen
class Treatment:
    """What preparation did to the rows, for the report.

    Attributes:
        rows: number of rows, none of them dropped.
        rounding: distance to the set up to which a row was taken as rounded.
        off_set: rows that were off the set and were put back.
        largest_distance: of a row to the set, before.
        detection_limit: the smallest value that could be measured; 0 if not stated.
        margin: entries nearer than this to the boundary were moved this far inside: 0.65 of the detection limit.
        boundary_rows: rows with such entries.
        boundary_entries: number of such entries, by column.
        method: the constraint's own words for how it retracts; empty if nothing was changed.
    """

    rows: int
    rounding: float
    off_set: int
    largest_distance: float
    detection_limit: float
    margin: float
    boundary_rows: int
    boundary_entries: dict[str, int]
    method: str


@attrs.frozen(eq=False)
class Prepared:
    """Data to train with and to judge by.

    Attributes:
        columns: their names.
        train, held_out: rows inside the set, float32, those held out chosen by the seed.
        train_as_measured, held_out_as_measured: the same rows on the set, but with entries on its boundary left there.
        treatment: what was changed.
    """

    columns: tuple[str, ...]
    train: Tensor
    held_out: Tensor
    train_as_measured: Tensor
    held_out_as_measured: Tensor
    treatment: Treatment


def prepare(
    table: Table,
    constraint: Constraint,
    mirror: MirrorMap | None = None,
    *,
    rounding: float = 0.0,
    detection_limit: float = 0.0,
    held_out: float = 0.2,
    seed: int = 0,
    source: str = "data",
) -> Prepared:
    """Check the rows against the rule, mend rounding and the boundary, and split off the rows to judge by.

    Entries on the boundary stand for values below `detection_limit`, and are moved to 0.65 of it inside the set, the
    usual choice for compositions.

    Source: Dealing with zeros and missing values in compositional data sets using nonparametric imputation
    (Martín-Fernández, Barceló-Vidal, Pawlowsky-Glahn 2003), https://doi.org/10.1023/A:1023866030544

    Args:
        table: measurements, (N, C).
        constraint: the rule of a row.
        mirror: the mirror map that will be used; a Legendre map needs data off the boundary.
        rounding: distance to the set up to which a row counts as rounded and is put back on it.
        detection_limit: see above; 0 leaves the boundary alone.
        held_out: share of the rows to judge by, in (0, 1).
        seed: chooses them.
        source: how messages name the table.

    Raises:
        DataError: too few rows, or a row that is farther off; the message names it.
        ConfigurationError: a treatment is asked for that the constraint does not have.
    """
    x = torch.from_numpy(np.array(table.values))
    count = len(x)
    if count < 2:
        raise DataError(f"{source}: has {count} row, but at least 2 are needed, to train with and to judge by.")
    constraint.require_shape(x)
    on_set, off_set, largest = _put_on_set(x, constraint, rounding, source)
    inside, near = _move_off_boundary(on_set, constraint, mirror, detection_limit, table.columns, source)
    judged = round(count * held_out)
    if not 1 <= judged < count:
        raise DataError(f"{source}: holding out {held_out:g} of {count} rows leaves {count - judged} to train with.")
    order = torch.randperm(count, generator=stream(seed, "split"))
    test, train = order[:judged], order[judged:]
    method = constraint.retraction if isinstance(constraint, Retractable) else "Project onto the set."
    treatment = Treatment(
        rows=count,
        rounding=rounding,
        off_set=off_set,
        largest_distance=largest,
        detection_limit=detection_limit,
        margin=REPLACEMENT * detection_limit,
        boundary_rows=int(near.any(1).sum()),
        boundary_entries=dict(zip(table.columns, near.sum(0).tolist(), strict=True)),
        method=method if off_set or bool(near.any()) else "",
    )
    return Prepared(
        columns=table.columns,
        train=inside[train].float(),
        held_out=inside[test].float(),
        train_as_measured=on_set[train].float(),
        held_out_as_measured=on_set[test].float(),
        treatment=treatment,
    )


def _put_on_set(x: Tensor, constraint: Constraint, rounding: float, source: str) -> tuple[Tensor, int, float]:
    distance = constraint.distance(x)
    tolerance = constraint.tolerance(torch.float32)
    limit = max(rounding, tolerance)
    outside = (~(distance <= limit)).nonzero().flatten()
    if len(outside):
        row = int(outside[0])
        more = f" ({len(outside)} such rows)" if len(outside) > 1 else ""
        values = ", ".join(f"{value:g}" for value in x[row].tolist())
        raise DataError(
            f"{source}: row {row + 1} ({values}) is off the set of {type(constraint).__name__} by "
            f"{distance[row].item():.4g}{more}, more than the rounding of {limit:.3g}. Mend the row, or state a larger "
            "[data] rounding."
        )
    off_set = int((distance > constraint.tolerance(torch.float64)).sum())
    if off_set and isinstance(constraint, Retractable):
        x = constraint.retract(x)
    elif off_set and isinstance(constraint, Projectable):
        x = constraint.project(x)
    elif rounding > tolerance and off_set:
        raise ConfigurationError(
            f"[data] rounding = {rounding:g}: {type(constraint).__name__} can neither retract nor project, so rows "
            "off its set cannot be put back. Set it to 0."
        )
    return x, off_set, distance.max().item()


def _move_off_boundary(
    x: Tensor,
    constraint: Constraint,
    mirror: MirrorMap | None,
    detection_limit: float,
    columns: tuple[str, ...],
    source: str,
) -> tuple[Tensor, Tensor]:
    none = torch.zeros_like(x, dtype=torch.bool)
    if not isinstance(constraint, Retractable):
        if detection_limit:
            raise ConfigurationError(
                f"[data] detection_limit = {detection_limit:g}: {type(constraint).__name__} has no retraction. "
                "Set it to 0."
            )
        return x, none
    if detection_limit:
        margin = REPLACEMENT * detection_limit
        return constraint.retract(x, margin), constraint.near_boundary(x, margin)
    near = constraint.near_boundary(x, torch.finfo(torch.float32).eps * constraint.scale)
    if isinstance(mirror, Legendre) and bool(near.any()):
        row, column = map(int, near.nonzero()[0])
        raise DataError(
            f"{source}: row {row + 1}, column '{columns[column]}' = {x[row, column].item():g} lies on the boundary of "
            f"{type(constraint).__name__}, where {type(mirror).__name__} is infinite ({int(near.sum())} such values in "
            f"{int(near.any(1).sum())} rows). State a [data] detection_limit: what the smallest measurable value is."
        )
    return x, none
