"""What is trained on: data that were looked through, and their images under a fixed mirror map.

Both are taken a few rows at a time, so that data may be larger than the memory: map a file (`torch.from_file`,
`numpy.memmap` with `torch.from_numpy`), and only what is in use is read. Large images go to a file of their own.
"""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from tain import Conditional, Constraint, Generator, Learned, Mirrored, MirrorMap
from tain.errors import ConfigurationError, DataError, MissingCapabilityError, OutsideSetError, ShapeError
from tain.explanation import Explanation

__all__ = ["chunks", "mirror_images", "require_condition", "require_data", "require_finite", "require_kept", "space"]

_CHUNK = 2**24  # bytes that are looked at together
_MEMORY = 2**30  # bytes of mirror images that are held in memory; more go to a file


def require_data(data: Tensor, event_shape: tuple[int, ...], what: str = "data") -> None:
    """Refuse data that are no finite samples of shape `event_shape`; `what` is how messages call them.

    Raises:
        ShapeError: their shape is not (N, *event_shape) with N at least 1.
        DataError: they are no floating-point numbers, or not all finite; the message names the rows.
    """
    if tuple(data.shape[1:]) != event_shape or len(data) == 0:
        raise ShapeError(
            f"fit: {what} have shape {tuple(data.shape)}, but must have (N, {', '.join(map(str, event_shape))}) "
            "with N at least 1."
        )
    if not data.is_floating_point():
        raise DataError(
            f"fit: {what} are of dtype {data.dtype}, but must be floating-point numbers. Use {what}.float()."
        )
    require_finite(what, data)


@torch.no_grad()
def require_kept(data: Tensor, constraint: Constraint, tolerance: float | None = None) -> None:
    """Refuse samples that break the rule they are to teach, and a rule whose distance is none.

    Args:
        data: samples, shape (N, *S).
        constraint: the rule.
        tolerance: distance up to which a row keeps it; by default the rule's own in single precision, since files
            hold rounded numbers.

    Raises:
        OutsideSetError: names the worst rows, the first being 0, with their distances and the tolerance.
        ConfigurationError: a distance is negative.
        ShapeError: the distance is not one number a sample, or the samples do not fit the rule.
    """
    limit = max(0.0 if tolerance is None else tolerance, constraint.tolerance(torch.float32))
    outside: dict[int, float] = {}
    for rows in chunks(data):
        found = constraint.explain(data[rows], limit)
        outside |= {rows.start + row: by for row, by in zip(found.rows, found.distances, strict=True)}
        lowest = float(constraint.distance(data[rows]).min())
        if lowest < 0:
            raise ConfigurationError(
                f"fit: {type(constraint).__name__} gives a distance of {lowest:.3g}, but must give at least 0, and 0 "
                "on the set. Mend its distance, as by abs()."
            )
    if outside:
        whole = Explanation(type(constraint).__name__, len(data), tuple(outside), tuple(outside.values()), limit)
        raise OutsideSetError(f"fit: the data break the rule that they are to teach. {whole} Mend these rows.")


def require_condition(condition: Tensor, data: Tensor, model: Generator | Learned) -> None:
    """Refuse conditions that do not go with the data or the model.

    Raises:
        MissingCapabilityError: the model takes no condition.
        ShapeError: there is not one condition of the model's shape for each row of data.
        DataError: they are not all finite.
    """
    shape = model.condition_shape if isinstance(model, Conditional | Mirrored) else None
    if shape is None:
        raise MissingCapabilityError(
            f"fit: there is a condition, but {type(model).__name__} was not built to take one. Leave it out, or use a "
            "generator that is Conditional."
        )
    if tuple(condition.shape) != (len(data), *shape):
        raise ShapeError(
            f"fit: the conditions have shape {tuple(condition.shape)}, but must have {(len(data), *shape)}: one of "
            f"shape {shape} for each of the {len(data)} rows of data."
        )
    if condition.is_floating_point():
        require_finite("the conditions", condition)


@torch.no_grad()
def mirror_images(mirror: MirrorMap, data: Tensor, dtype: torch.dtype, folder: Path | None = None) -> Tensor:
    """The mirror images of all rows, shape (N, *mirror_shape), computed a few rows at a time.

    Args:
        mirror: the map; `data` are moved to the device of its weights, and the images back.
        data: samples of its set, shape (N, *event_shape).
        dtype: of the images. The map itself is computed in the precision of the data.
        folder: where images of more than 1 GiB are written, to a file without a name that ends with the process;
            the system's folder of temporary files if not given.

    Raises:
        OutsideSetError: a sample is outside of the set.
        DataError: an image is not finite; the message names the rows.
    """
    device = next((tensor.device for tensor in (*mirror.parameters(), *mirror.buffers())), data.device)
    shape = (len(data), *mirror.mirror_shape(tuple(data.shape[1:])))
    images = space(shape, dtype, folder)
    for rows in chunks(data):
        images[rows] = mirror(data[rows].to(device)).to("cpu", dtype)
    require_finite("the mirror images of the data", images)
    return images


def space(shape: tuple[int, ...], dtype: torch.dtype, folder: Path | None = None) -> Tensor:
    """An array to be filled: in memory, or in a file without a name if it is larger than 1 GiB."""
    if math.prod(shape) * dtype.itemsize <= _MEMORY:
        return torch.empty(shape, dtype=dtype)
    with tempfile.NamedTemporaryFile(dir=folder) as file:  # it loses its name here, and its space with the tensor
        return torch.from_file(file.name, shared=True, size=math.prod(shape), dtype=dtype).view(shape)


def chunks(data: Tensor) -> Iterator[slice]:
    """All rows, a few at a time."""
    rows = max(1, _CHUNK // max(1, data[0].numel() * data.element_size()))
    return (slice(start, start + rows) for start in range(0, len(data), rows))


def require_finite(what: str, values: Tensor) -> None:
    bad: list[int] = []
    for rows in chunks(values):
        if not bool(torch.isfinite(values[rows].sum())):  # a sum of finite numbers may be infinite, so look again
            finite = torch.isfinite(values[rows]).flatten(1).all(1)
            bad += (rows.start + (~finite).nonzero().flatten()).tolist()
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise DataError(
            f"fit: {what} must be finite numbers, but those of row {', '.join(map(str, bad[:5]))}{more} (the first "
            "row being 0) are not. Remove or repair these rows."
        )
