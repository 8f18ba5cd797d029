"""Data files: tables of numbers with named columns, from CSV, Parquet, NPY, NPZ and safetensors.

Every value is checked to be a finite number before anything is computed; a message names the row (the first is 1) and
the column. Nothing is ever unpickled.
"""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import attrs
import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from tain.atomic import write_bytes
from tain.errors import DataError, nearest, one_line

__all__ = ["FORMATS", "Table", "read_table", "write_table"]

Columns = dict[str, Any]


@attrs.frozen(eq=False)
class Table:
    """A table of finite numbers.

    Attributes:
        columns: names, C of them.
        values: shape (N, C), float64.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]


def read_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Read the named columns of a file, by default all, in the order given.

    An NPY file holds one array (N, C), whose columns are called 0, 1, ... NPZ and safetensors files hold arrays by
    name: (N,) is one column, (N, C) is C columns called name[0], name[1], ...

    Args:
        path: the file; its suffix tells the format.
        columns: names to read.

    Raises:
        DataError: the file or a column is missing or unreadable, the table is empty, a value is no finite number.
    """
    path = Path(path)
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of data file '{path.suffix}'. Known: {', '.join(FORMATS)}.")
    if not path.is_file():
        raise DataError(f"{path}: no such file.{nearest(path.name, _siblings(path))}")
    try:
        found = reader(path)
    except DataError:
        raise
    except (pyarrow.ArrowException, safetensors.SafetensorError, OSError, ValueError, EOFError, BadZipFile) as cause:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:].upper()} ({one_line(str(cause))}).") from cause
    chosen = tuple(found) if columns is None else tuple(columns)
    for name in chosen:
        if name not in found:
            raise DataError(f"{path}: no column '{name}'.{nearest(name, found)}")
    if not chosen or len(found[chosen[0]]) == 0:
        raise DataError(f"{path}: the table is empty. Give a file with a header and at least two rows.")
    numbers = [_numbers(path, name, found[name]) for name in chosen]
    if len({len(column) for column in numbers}) > 1:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in zip(chosen, numbers, strict=True))
        raise DataError(f"{path}: the columns have different lengths ({lengths}).")
    return Table(chosen, np.stack(numbers, axis=1))


def write_table(path: Path, columns: Sequence[str], values: NDArray[np.floating[Any]]) -> None:
    """Write a table (N, C), atomically, in the format that the suffix tells. Numbers read back exactly as they were.

    Raises:
        DataError: the suffix tells no known format.
    """
    content = io.BytesIO()
    match path.suffix.lower():
        case ".csv":
            text = io.StringIO(newline="")
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([[str(number) for number in row] for row in values])
            content.write(text.getvalue().encode())
        case ".parquet":
            table = pyarrow.table([pyarrow.array(column) for column in values.T], names=list(columns))
            pyarrow.parquet.write_table(table, content)
        case ".npy":
            np.save(content, values, allow_pickle=False)
        case ".npz":
            np.savez(content, **dict(zip(columns, values.T, strict=True)))
        case ".safetensors":
            arrays = {name: np.ascontiguousarray(column) for name, column in zip(columns, values.T, strict=True)}
            content.write(safetensors.numpy.save(arrays))
        case suffix:
            raise DataError(f"{path}: unknown kind of data file '{suffix}'. Known: {', '.join(FORMATS)}.")
    write_bytes(path, content.getvalue())


def _read_csv(path: Path) -> Columns:
    skipping = pyarrow.csv.ParseOptions(invalid_row_handler=lambda row: "skip")
    with pyarrow.csv.open_csv(path, parse_options=skipping) as head:  # for the names; broken rows come out below
        names = head.schema.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: the column '{repeated[0]}' stands twice in the header. Rename one.")
    # All as text first, so that a wrong value can be named with its row.
    texts = dict.fromkeys(names, pyarrow.string())
    ragged: list[Any] = []

    def set_aside(row: Any) -> str:
        ragged.append(row)
        return "skip"

    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False),  # else broken rows would have no number
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=set_aside),
        convert_options=pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
    )
    if ragged:
        row = ragged[0]
        raise DataError(
            f"{path}: row {row.number - 1} has {row.actual_columns} values, but the header names "
            f"{row.expected_columns} columns. Mend the row: {row.text}"
        )
    return {name: table.column(name) for name in names}


def _read_parquet(path: Path) -> Columns:
    table = pyarrow.parquet.read_table(path)
    return {name: table.column(name) for name in table.column_names}


def _read_npy(path: Path) -> Columns:
    with path.open("rb") as file:  # numpy leaves a broken file open that it opened itself
        array = np.load(file, allow_pickle=False)
    return _named_columns("", array) if array.ndim == 2 else {"0": array}


def _read_npz(path: Path) -> Columns:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return _all_columns({name: archive[name] for name in archive.files})


def _read_safetensors(path: Path) -> Columns:
    return _all_columns(safetensors.numpy.load_file(path))


def _all_columns(arrays: dict[str, NDArray[Any]]) -> Columns:
    columns: Columns = {}
    for name, array in arrays.items():
        columns |= _named_columns(name, array) if array.ndim == 2 else {name: array}
    return columns


def _named_columns(name: str, array: NDArray[Any]) -> Columns:
    return {f"{name}[{index}]" if name else str(index): array[:, index] for index in range(array.shape[1])}


FORMATS: dict[str, Callable[[Path], Columns]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    """One column as finite float64."""
    if isinstance(column, pyarrow.ChunkedArray):
        column = _cast(path, name, column)
    array = np.asarray(column)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: column '{name}' has dtype {array.dtype} and shape {array.shape}, but must hold one number a row."
        )
    numbers = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        more = f", and {len(bad) - 1} more rows" if len(bad) > 1 else ""
        raise DataError(
            f"{path}: row {bad[0] + 1}, column '{name}' is {numbers[bad[0]]}{more}, but must be a finite number. "
            "Mend or remove it; tain drops no row by itself."
        )
    return numbers


def _cast(path: Path, name: str, column: Any) -> Any:
    if column.null_count:
        row = pyarrow.compute.index(pyarrow.compute.is_null(column), True).as_py()
        raise DataError(f"{path}: row {row + 1}, column '{name}' is empty, but must be a finite number.")
    try:
        return pyarrow.compute.cast(column, pyarrow.float64()).to_numpy()
    except pyarrow.ArrowException:
        for row, value in enumerate(column):
            try:
                value.cast(pyarrow.float64())
            except pyarrow.ArrowException:
                shown = repr(value.as_py()) if value.as_py() != "" else "empty"
                raise DataError(
                    f"{path}: row {row + 1}, column '{name}' is {shown}, but must be a number. "
                    "Mend it, or leave the column out of 'columns'."
                ) from None
        raise


def _siblings(path: Path) -> list[str]:
    return [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
