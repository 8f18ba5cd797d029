"""From a file of arrays to training data that keep the rule, as `preparation` does it for tables.

Rows are looked at a few at a time, and sets of rows that are larger than 1 GiB go to temporary files of their own: the
data may be larger than the memory.
"""

import torch
from torch import Tensor

from tain import Constraint, Learned, Legendre, MirrorMap, Projectable, Retractable, supports
from tain.errors import ConfigurationError, DataError
from tain.explanation import Explanation
from tain_lab.parts import Each, split_rule
from tain_lab.preparation import REPLACEMENT, Prepared, Treatment, method_of
from tain_lab.randomness import stream
from tain_lab.training_data import chunks, space

__all__ = ["prepare_arrays"]


@torch.no_grad()
def prepare_arrays(
    samples: Tensor,
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

    Rows within the rounding are put back on the set if the rule can project or retract; a learned map takes them as
    they are if it cannot.

    Args:
        samples: shape (N, *S), real numbers of any dtype.
        constraint, mirror, rounding, detection_limit, held_out, seed, source: as for `prepare`.

    Returns:
        The data, with no columns; float32.

    Raises:
        DataError: too few rows, values that are not finite, or rows that are farther off; the message names the worst.
        ConfigurationError: a treatment is asked for that the constraint does not have.
        ShapeError: the samples do not have the shape of those of the constraint.
    """
    constraint.require_shape(samples[:1].float())
    (part,) = split_rule(constraint, mirror, rounding, detection_limit)
    rounding, detection_limit = part.rounding, part.detection_limit
    count = len(samples)
    judged = round(count * held_out)
    if not 1 <= judged < count:
        raise DataError(f"{source}: holding out {held_out:g} of {count} rows leaves {count - judged} to train with.")
    if detection_limit and not supports(constraint, Retractable):
        raise ConfigurationError(
            f"[data] detection_limit = {detection_limit:g}: {type(constraint).__name__} has no retraction. Set it to 0."
        )
    limit = max(rounding, constraint.tolerance(torch.float32))
    distance = _distances(samples, constraint, limit, source)
    off_set = distance > constraint.tolerance(torch.float32)
    can_mend = supports(constraint, Retractable) or supports(constraint, Projectable)
    if bool(off_set.any()) and not can_mend and not isinstance(mirror, Learned):
        raise ConfigurationError(
            f"[data] rounding = {rounding:g}: {type(constraint).__name__} can neither retract nor project, so rows "
            "off its set cannot be put back. Set it to 0."
        )
    order = torch.randperm(count, generator=stream(seed, "split"))
    parts = {"held_out": order[:judged], "train": order[judged:]}
    on_set = {name: _on_set(samples, rows, off_set, constraint) for name, rows in parts.items()}
    margin = REPLACEMENT * detection_limit
    near = {name: _near_boundary(part, constraint, mirror, margin, source) for name, part in on_set.items()}
    inside = {name: _inside(part, constraint, margin) if margin else part for name, part in on_set.items()}
    entries = sum(int(part.sum()) for part in near.values()) if margin else 0
    return Prepared(
        columns=(),
        train=inside["train"],
        held_out=inside["held_out"],
        train_as_measured=on_set["train"],
        held_out_as_measured=on_set["held_out"],
        treatment=Treatment(
            rows=count,
            rounding=(rounding,),
            off_set=int(off_set.sum()) if can_mend else 0,
            largest_distance=distance.max().item(),
            detection_limit=(detection_limit,),
            margin=(margin,),
            boundary_rows=sum(int((part > 0).sum()) for part in near.values()) if margin else 0,
            boundary_entries={"all": entries} if margin else {},
            method=method_of(constraint) if can_mend and bool(off_set.any() or entries) else "",
        ),
    )


def _distances(samples: Tensor, constraint: Constraint, limit: float, source: str) -> Tensor:
    """The distance of each row, once all were found to be within the limit."""
    distance = torch.empty(len(samples), dtype=torch.float64)
    for rows in chunks(samples):
        x = samples[rows].float()
        finite = x.isfinite().flatten(1).all(1)
        if not finite.all():
            row = rows.start + int((~finite).nonzero()[0])
            raise DataError(
                f"{source}: row {row + 1} holds values that are no finite numbers. Mend or remove it; tain drops no "
                "row by itself."
            )
        distance[rows] = constraint.distance(x).double()
    outside = (~(distance <= limit)).nonzero().flatten()
    if len(outside):
        found = tuple(distance[outside].tolist())
        rows_from_1 = tuple((outside + 1).tolist())
        told = Explanation(type(constraint).__name__, len(samples), rows_from_1, found, limit)
        raise DataError(f"{source}: {told} Mend these rows (the first is row 1), or state a larger [data] rounding.")
    return distance


def _on_set(samples: Tensor, chosen: Tensor, off_set: Tensor, constraint: Constraint) -> Tensor:
    """The chosen rows, on the set."""
    found = space((len(chosen), *samples.shape[1:]), torch.float32)
    for rows in chunks(found):
        x = samples[chosen[rows]].float()
        off = off_set[chosen[rows]]
        if bool(off.any()) and supports(constraint, Retractable):
            x[off] = constraint.retract(x[off])
        elif bool(off.any()) and supports(constraint, Projectable):
            x[off] = constraint.project(x[off])
        found[rows] = x
    return found


def _near_boundary(
    part: Tensor, constraint: Constraint, mirror: MirrorMap | None, margin: float, source: str
) -> Tensor:
    """The number of entries of each row that are nearer than the margin to the boundary.

    Raises:
        DataError: there are some, no margin is stated, and the mirror map is infinite there.
    """
    near = torch.zeros(len(part), dtype=torch.long)
    if not supports(constraint, Retractable):
        return near
    least = margin or torch.finfo(torch.float32).eps * constraint.scale
    for rows in chunks(part):
        near[rows] = constraint.near_boundary(part[rows], least).flatten(1).sum(1)
    if not margin and mirror is not None and supports(mirror, Legendre) and bool(near.any()):
        raise DataError(
            f"{source}: {int(near.sum())} values in {int((near > 0).sum())} rows lie on the boundary of "
            f"{type(constraint).__name__}, where {type(mirror).__name__} is infinite. State a [data] detection_limit: "
            "what the smallest measurable value is."
        )
    return near


def _inside(part: Tensor, constraint: Constraint, margin: float) -> Tensor:
    assert isinstance(constraint, Retractable)
    found = space(tuple(part.shape), torch.float32)
    for rows in chunks(part):
        found[rows] = constraint.retract(part[rows], margin)
    return found
