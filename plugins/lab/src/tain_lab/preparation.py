"""From a table of measurements to training data that keep the rule exactly, with an account of what was changed.

Real tables break an exact rule in two harmless ways: by rounding, and by zeros that stand for "below what can be
detected", where mirror maps are infinite. Both are mended by the constraint's own retraction, within limits that the
experiment states. Whatever breaks the rule by more is refused, and no row is ever dropped.
"""

import attrs
import numpy as np
import torch
from torch import Tensor

from tain import Constraint, Learned, Legendre, MirrorMap, Projectable, Retractable, supports
from tain.errors import ConfigurationError, DataError
from tain_lab.parts import Each, Part, split_rule
from tain_lab.randomness import stream
from tain_lab.tables import Table

__all__ = ["REPLACEMENT", "Prepared", "Treatment", "method_of", "prepare"]

REPLACEMENT = 0.65
"""Share of the detection limit that stands for a value below it, as in the paper that `prepare` names."""


@attrs.frozen
class Treatment:
    """What preparation did to the rows, for the report.

    Attributes:
        rows: number of rows, none of them dropped.
        rounding: distance to the set up to which a row was taken as rounded, for each part of the rule.
        off_set: rows that were off the set and were put back.
        largest_distance: of a row to the set of a part, before.
        detection_limit: the smallest value that could be measured, for each part of the rule; 0 if not stated.
        margin: 0.65 of the detection limit; entries nearer than this to the boundary were moved this far inside.
        boundary_rows: rows with such entries.
        boundary_entries: number of such entries, by column.
        method: the constraint's own words for how it retracts; empty if nothing was changed.
    """

    rows: int
    rounding: tuple[float, ...]
    off_set: int
    largest_distance: float
    detection_limit: tuple[float, ...]
    margin: tuple[float, ...]
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
    rounding: Each = 0.0,
    detection_limit: Each = 0.0,
    held_out: float = 0.2,
    seed: int = 0,
    source: str = "data",
) -> Prepared:
    """Check the rows against the rule, mend rounding and the boundary, and split off the rows to judge by.

    Entries on the boundary stand for values below `detection_limit`, and are moved to 0.65 of it inside the set, the
    usual choice for compositions. Each block of a record with several rules is mended by its own rule.

    Source: Dealing with zeros and missing values in compositional data sets using nonparametric imputation
    (Martín-Fernández, Barceló-Vidal, Pawlowsky-Glahn 2003), https://doi.org/10.1023/A:1023866030544

    Args:
        table: measurements, (N, C).
        constraint: the rule of a row.
        mirror: the mirror map that will be used; a Legendre map needs data off the boundary.
        rounding: distance to the set up to which a row counts as rounded and is put back on it; one number, or one for
            each block.
        detection_limit: see above; 0 leaves the boundary alone. Also one for each block.
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
    parts = split_rule(constraint, mirror, rounding, detection_limit)
    mended = [_mend(x[:, part.columns], part, table.columns[part.columns], source) for part in parts]
    on_set = torch.cat([one.on_set for one in mended], 1)
    inside = torch.cat([one.inside for one in mended], 1)
    near = torch.cat([one.near for one in mended], 1)
    judged = round(count * held_out)
    if not 1 <= judged < count:
        raise DataError(f"{source}: holding out {held_out:g} of {count} rows leaves {count - judged} to train with.")
    order = torch.randperm(count, generator=stream(seed, "split"))
    test, train = order[:judged], order[judged:]
    treatment = Treatment(
        rows=count,
        rounding=tuple(part.rounding for part in parts),
        off_set=int(torch.stack([one.off_set for one in mended]).any(0).sum()),
        largest_distance=max(one.largest_distance for one in mended),
        detection_limit=tuple(part.detection_limit for part in parts),
        margin=tuple(REPLACEMENT * part.detection_limit for part in parts),
        boundary_rows=int(near.any(1).sum()),
        boundary_entries=dict(zip(table.columns, near.sum(0).tolist(), strict=True)),
        method=" ".join(
            method_of(part.rule)
            if len(parts) == 1
            else f"{', '.join(table.columns[part.columns])}: {method_of(part.rule)}"
            for part, one in zip(parts, mended, strict=True)
            if bool(one.off_set.any() or one.near.any())
        ),
    )
    return Prepared(
        columns=table.columns,
        train=inside[train].float(),
        held_out=inside[test].float(),
        train_as_measured=on_set[train].float(),
        held_out_as_measured=on_set[test].float(),
        treatment=treatment,
    )


@attrs.frozen(eq=False)
class _Mended:
    """The columns of one part: on its set, off its boundary, and which rows and entries were changed for it."""

    on_set: Tensor
    inside: Tensor
    near: Tensor
    off_set: Tensor
    largest_distance: float


def _mend(x: Tensor, part: Part, columns: tuple[str, ...], source: str) -> _Mended:
    # A learned map is exact only roughly, so it may learn from rows that nothing can put back.
    learned = isinstance(part.mirror, Learned)
    on_set, off_set, largest = _put_on_set(x, part.rule, part.rounding, source, learned=learned)
    inside, near = _move_off_boundary(on_set, part.rule, part.mirror, part.detection_limit, columns, source)
    return _Mended(on_set, inside, near, off_set, largest)


def method_of(rule: Constraint) -> str:
    """How a rule puts rows back on its set, in words."""
    return rule.retraction if supports(rule, Retractable) else "Each row is moved to the nearest point of the set."


def _put_on_set(
    x: Tensor, constraint: Constraint, rounding: float, source: str, *, learned: bool
) -> tuple[Tensor, Tensor, float]:
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
    off_set = distance > constraint.tolerance(torch.float64)
    some = bool(off_set.any())
    if some and supports(constraint, Retractable):
        x = constraint.retract(x)
    elif some and supports(constraint, Projectable):
        x = constraint.project(x)
    elif rounding > tolerance and some and not learned:
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
    if not supports(constraint, Retractable):
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
    if mirror is not None and supports(mirror, Legendre) and bool(near.any()):
        row, column = map(int, near.nonzero()[0])
        raise DataError(
            f"{source}: row {row + 1}, column '{columns[column]}' = {x[row, column].item():g} lies on the boundary of "
            f"{type(constraint).__name__}, where {type(mirror).__name__} is infinite ({int(near.sum())} such values in "
            f"{int(near.any(1).sum())} rows). State a [data] detection_limit: what the smallest measurable value is."
        )
    return x, none
