"""The parts of a table's rule: the blocks of a record with several rules, or the one rule of all its columns.

Each part is mended and judged by its own rule, in its own units: shares that are off by a rounded digit are one thing,
pounds another.
"""

from collections.abc import Sequence

import attrs

from tain import Blocks, BlocksMirror, Constraint, MirrorMap
from tain.errors import ConfigurationError

__all__ = ["Part", "split_rule"]

Each = float | Sequence[float]


@attrs.frozen(eq=False)
class Part:
    """One rule with its columns.

    Attributes:
        rule: of these columns alone.
        columns: where they are in the table.
        mirror: the mirror map of the rule, if there is one.
        rounding, detection_limit: what the experiment states for them.
    """

    rule: Constraint
    columns: slice
    mirror: MirrorMap | None
    rounding: float
    detection_limit: float


def split_rule(
    constraint: Constraint, mirror: MirrorMap | None = None, rounding: Each = 0.0, detection_limit: Each = 0.0
) -> tuple[Part, ...]:
    """The parts of a rule: one for each of its `Blocks`, else the rule itself.

    Args:
        constraint: the rule of a row.
        mirror: its mirror map.
        rounding, detection_limit: one number for all parts, or one for each.

    Raises:
        ConfigurationError: more or fewer numbers than parts.

    Example:
        >>> import tain
        >>> @tain.constraint("not-negative", event_ndim=1)
        ... def not_negative(x):
        ...     return (-x).relu().sum(-1)
        >>> record = tain.Blocks((not_negative, not_negative), sizes=(2, 3))
        >>> [(part.columns, part.rounding) for part in split_rule(record, rounding=(0.0, 0.5))]
        [(slice(0, 2, None), 0.0), (slice(2, 5, None), 0.5)]
    """
    if isinstance(constraint, Blocks):
        rules, ends = constraint.constraints, [sum(constraint.sizes[: i + 1]) for i in range(len(constraint.sizes))]
        columns = [slice(end - size, end) for end, size in zip(ends, constraint.sizes, strict=True)]
    else:
        rules, columns = (constraint,), [slice(None)]
    mirrors = mirror.mirrors if isinstance(mirror, BlocksMirror) else (mirror,) * len(rules)
    roundings = _each(rounding, "rounding", rules)
    limits = _each(detection_limit, "detection_limit", rules)
    return tuple(map(Part, rules, columns, mirrors, roundings, limits))


def _each(value: Each, key: str, rules: Sequence[Constraint]) -> tuple[float, ...]:
    values = tuple(value) if isinstance(value, Sequence) else (value,) * len(rules)
    if len(values) != len(rules):
        names = ", ".join(type(rule).__name__ for rule in rules)
        raise ConfigurationError(
            f"[data] {key} has {len(values)} entries, but must be one number, or one for each rule ({names})."
        )
    return values
