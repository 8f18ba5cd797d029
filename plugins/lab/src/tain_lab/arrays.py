"""Array files: samples of any shape, such as images (N, C, H, W), from NPY, NPZ and safetensors, to NPY.

An NPY file is mapped to memory, so it may be larger than that. Nothing is ever unpickled.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import safetensors
import torch
from torch import Tensor

from tain.atomic import write_bytes
from tain.errors import DataError, nearest, one_line

__all__ = ["ARRAY_FORMATS", "read_array", "write_array"]

ARRAY_FORMATS = (".npy", ".npz", ".safetensors")


def read_array(path: Path, columns: Sequence[str] | None = None) -> Tensor:
    """Read the samples of a file, of the dtype that they have there. Their values are not looked at.

    Args:
        path: the file; its suffix tells the format.
        columns: the name of the array, for a file that holds several.

    Returns:
        shape (N, *S), real numbers of any dtype; must not be written to.

    Raises:
        DataError: the file or the array is missing or unreadable, has no rows, or holds no real numbers.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ARRAY_FORMATS:
        raise DataError(
            f"{path}: a file of kind '{suffix}' holds a table, but the rule is one of arrays. Known kinds for these: "
            f"{', '.join(ARRAY_FORMATS)}."
        )
    if not path.is_file():
        siblings = [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file.{nearest(path.name, siblings)}")
    try:
        array = _mapped(path, columns) if suffix == ".npy" else _named(path, columns)
    except DataError:
        raise
    except (safetensors.SafetensorError, OSError, ValueError, EOFError, BadZipFile) as cause:
        raise DataError(f"{path}: cannot be read as {suffix[1:].upper()} ({one_line(str(cause))}).") from cause
    if array.ndim < 2 or len(array) == 0:
        raise DataError(f"{path}: the array has shape {tuple(array.shape)}, but must have rows, as (N, C, H, W) does.")
    return array


def write_array(path: Path, samples: Tensor) -> None:
    """Write samples to an NPY file, atomically.

    Raises:
        DataError: the suffix tells another format.
    """
    if path.suffix.lower() != ".npy":
        raise DataError(f"{path}: samples that are arrays are written as NPY. Give a file that ends in .npy.")
    content = io.BytesIO()
    np.save(content, samples.detach().cpu().numpy(), allow_pickle=False)
    write_bytes(path, content.getvalue())


def _mapped(path: Path, columns: Sequence[str] | None) -> Tensor:
    if columns is not None:
        raise DataError(f"{path}: an NPY file holds one array without a name. Leave [data] columns out.")
    return _tensor(path, np.load(path, mmap_mode="r", allow_pickle=False))


def _named(path: Path, columns: Sequence[str] | None) -> Tensor:
    if path.suffix.lower() == ".npz":
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return _tensor(path, archive[_only(path, archive.files, columns)])
    with safetensors.safe_open(path, framework="pt") as file:
        tensor: Tensor = file.get_tensor(_only(path, list(file.keys()), columns))
    if tensor.is_complex():
        raise DataError(f"{path}: the array has dtype {tensor.dtype}, but must hold real numbers.")
    return tensor


def _only(path: Path, names: list[str], columns: Sequence[str] | None) -> str:
    """The name of the array to read."""
    if columns is not None and len(columns) == 1 and columns[0] in names:
        return columns[0]
    if columns is None and len(names) == 1:
        return names[0]
    wanted = "" if columns is None else f" '{', '.join(columns)}'"
    raise DataError(
        f"{path}: holds the arrays {', '.join(sorted(names)) or '(none)'}, but one is to be read{wanted}. Name it, as "
        f'in: columns = ["{names[0] if names else "images"}"]'
    )


def _tensor(path: Path, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{path}: the array has dtype {array.dtype}, but must hold real numbers.")
    native = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    with warnings.catch_warnings():  # that a mapped file cannot be written to is what it is mapped for
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(native)
