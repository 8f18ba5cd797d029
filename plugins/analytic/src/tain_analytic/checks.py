"""Matrices and vectors that users give, in float64, or an error that names the entry that is wrong."""

import torch
from torch import Tensor

from tain import ConfigurationError

__all__ = ["Matrix", "Vector", "finite_matrix", "finite_vector"]

Matrix = tuple[tuple[float, ...], ...] | Tensor
Vector = tuple[float, ...] | Tensor


def finite_matrix(owner: str, name: str, value: Matrix) -> Tensor:
    """A float64 matrix of finite numbers.

    Raises:
        ConfigurationError: rows of different length, another shape, no numbers, or one that is not finite.
    """
    if not isinstance(value, Tensor):
        for index, row in enumerate(value):
            if len(row) != len(value[0]):
                raise ConfigurationError(
                    f"{owner}: '{name}'[{index}] has {len(row)} entries, but '{name}'[0] has {len(value[0])}."
                )
    matrix = _float64(value)
    if matrix.ndim != 2 or matrix.numel() == 0:
        shape = tuple(matrix.shape)
        raise ConfigurationError(f"{owner}: '{name}' has shape {shape}, but must have two dimensions and not be empty.")
    _require_finite(owner, name, matrix)
    return matrix


def finite_vector(owner: str, name: str, value: Vector) -> Tensor:
    """A float64 vector of finite numbers.

    Raises:
        ConfigurationError: another shape, no numbers, or one that is not finite.
    """
    vector = _float64(value)
    if vector.ndim != 1 or vector.numel() == 0:
        shape = tuple(vector.shape)
        raise ConfigurationError(f"{owner}: '{name}' has shape {shape}, but must have one dimension and not be empty.")
    _require_finite(owner, name, vector)
    return vector


def _float64(value: Matrix | Vector) -> Tensor:
    return torch.as_tensor(value).detach().to("cpu", torch.float64, copy=True)


def _require_finite(owner: str, name: str, values: Tensor) -> None:
    for place in (~torch.isfinite(values)).nonzero().tolist():
        entry = "".join(f"[{index}]" for index in place)
        raise ConfigurationError(f"{owner}: '{name}'{entry} is {float(values[tuple(place)])}, but must be finite.")
