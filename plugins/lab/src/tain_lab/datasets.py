"""The data sets that plugins provide by the hook `tain_datasets`, by name."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from tain import Component, Configured, Constraint, catalogue
from tain.configured import bind
from tain.errors import BrokenPluginError, DuplicateNameError, TainError, UnknownNameError, nearest, one_line
from tain.fields import shown
from tain.plugin_record import Plugin
from tain_lab import hookspecs

__all__ = ["Dataset", "create_dataset", "dataset_records", "find_dataset"]


class Dataset(Protocol):
    """What a simulator of data is: a `tain.Configured` class with these members; it need not know of this one.

    Attributes:
        event_shape: the shape of one row.
        constraint: the rule that the rows obey, built when asked for.

    Example:
        >>> import tain, torch
        >>> class Whole(tain.Constraint):
        ...     event_ndim = 1
        ...     def distance(self, x):
        ...         return (x - x.round()).abs().sum(-1)
        >>> class Dice(tain.Configured):
        ...     def __init__(self, sides: int = 6):
        ...         super().__init__()
        ...         self.event_shape, self.sides = (1,), sides
        ...     @property
        ...     def constraint(self):
        ...         return Whole()
        ...     def simulate(self, n, *, rng=None, first=0):
        ...         rows = [torch.Generator().manual_seed(rng + row) for row in range(first, first + n)]
        ...         return torch.stack([torch.randint(1, self.sides + 1, (1,), generator=row) for row in rows]).float()
        >>> Dice().simulate(3, rng=0).equal(Dice().simulate(5, rng=0)[:3])
        True
    """

    event_shape: tuple[int, ...]

    @property
    def constraint(self) -> Constraint: ...

    def simulate(self, n: int, *, rng: torch.Generator | int | None = None, first: int = 0) -> Tensor:
        """Rows `first` to `first + n - 1`, (n, *event_shape), float32. Row i depends on the seed and on i alone."""


def dataset_records() -> tuple[tuple[Plugin, Component], ...]:
    """All data sets with the plugins that provide them, sorted by name."""
    found = catalogue.host().records("tain_datasets", hookspecs, _require_datasets)
    return tuple(sorted(found, key=lambda pair: pair[1].name))


def find_dataset(name: str) -> tuple[Plugin, Component]:
    """The data set of that name, and the plugin that provides it.

    Raises:
        UnknownNameError: no plugin provides it; the message names the nearest ones.
        DuplicateNameError: two plugins provide it and none is preferred.
    """
    known = dataset_records()
    matches = [pair for pair in known if pair[1].name == name]
    if len(matches) > 1:
        matches = [pair for pair in matches if pair[0].is_in(catalogue.host().preferred)] or matches
    if len(matches) > 1:
        owners = [plugin.distribution for plugin, _ in matches]
        raise DuplicateNameError(
            f"{len(owners)} plugins provide the data set '{name}': {', '.join(owners)}. Prefer one with "
            f"TAIN_PREFER={owners[0]}."
        )
    if matches:
        return matches[0]
    message = f"No plugin provides a data set '{name}'.{nearest(name, [record.name for _, record in known])}"
    failed = [plugin for plugin in catalogue.host().plugins if plugin.status != "loaded"]
    if failed:
        causes = "; ".join(f"{plugin.distribution} is {plugin.status} ({plugin.cause})" for plugin in failed)
        message += f" Not loaded: {causes}."
    raise UnknownNameError(f"{message} 'tain simulate' lists all.")


def create_dataset(name: str, values: Mapping[str, Any]) -> Dataset:
    """Build a simulator from its name and options.

    Raises:
        ConfigurationError: an option that it does not take, or a value beyond its limit.
        UnknownNameError, DuplicateNameError: as `find_dataset`.
        BrokenPluginError: its constructor raised something that is no error of tain.
    """
    plugin, record = find_dataset(name)
    given = bind(record.target, values, owner=f"data set '{name}'")
    try:
        made: Dataset = record.target(**given)
    except TainError:
        raise
    except Exception as cause:
        raise BrokenPluginError(
            f"The data set '{name}' of {plugin.distribution} {plugin.version} could not be made "
            f"({type(cause).__name__}: {one_line(str(cause), 300)}). Check what it is given ({shown(given)}), or tell "
            "its authors."
        ) from cause
    return made


def _require_datasets(records: Sequence[Any]) -> None:
    """Refuse what is no record of simulators, each with a name of its own."""
    seen = set()
    for record in records:
        if not isinstance(record, Component):
            raise TypeError(f"gave {one_line(repr(record))} instead of a tain.Component record")
        if not issubclass(record.target, Configured):
            raise TypeError(
                f"{record.target.__name__} cannot be the data set '{record.name}': it is no tain.Configured"
            )
        lacking = [member for member in ("constraint", "simulate") if not hasattr(record.target, member)]
        if lacking:
            raise TypeError(
                f"{record.target.__name__} cannot be the data set '{record.name}': it lacks {', '.join(lacking)}"
            )
        if record.name in seen:
            raise ValueError(f"gave two data sets the name '{record.name}'")
        seen.add(record.name)
