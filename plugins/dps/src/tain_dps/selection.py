"""Operators that keep a part of each sample: entries (inpainting), or snapshots of a trajectory (assimilation)."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, ShapeError
from tain_dps.linear_operator import LinearOperator, require_shape

__all__ = ["Select", "Snapshots"]


@final
class Select(LinearOperator):
    """The entries of each sample that were measured: (B, *S) to (B, K). Also what to do with missing numbers.

    Args:
        keep: which of the entries, shape S: true, or any number but 0.

    Raises:
        ConfigurationError: none is kept.

    Example:
        >>> image = torch.tensor([[[1.0, float("nan")], [3.0, 4.0]]])  # one image, (1, 2, 2), with a hole
        >>> select = Select(image[0].isfinite())
        >>> select(image)
        tensor([[1., 3., 4.]])
        >>> select.adjoint(select(image))
        tensor([[[1., 0.],
                 [3., 4.]]])
    """

    index: Tensor

    def __init__(self, keep: Annotated[Tensor, Field("which entries of a sample are measured, not 0 where they are")]):
        super().__init__()
        self.shape = tuple(keep.shape)
        self.register_buffer("index", keep.flatten().nonzero().flatten(), persistent=False)
        if not len(self.index):
            raise ConfigurationError(f"Select: 'keep', of shape {self.shape}, keeps none of the entries. Keep one.")

    def forward(self, x: Tensor) -> Tensor:
        require_shape("Select", x, self.shape)
        return x.reshape(len(x), -1)[:, self.index]

    def adjoint(self, y: Tensor) -> Tensor:
        require_shape("Select.adjoint", y, (len(self.index),))
        empty = y.new_zeros(len(y), torch.Size(self.shape).numel())
        return empty.index_copy(1, self.index, y).reshape(len(y), *self.shape)


@final
class Snapshots(LinearOperator):
    """Some snapshots of each trajectory, in the order given.

    Args:
        kept: which, counted from 0; negative ones from the end.
        total: the number of snapshots of a trajectory.
        axis: the dimension of time within one sample: 1 of trajectories drawn as images, (channels, time, space).

    Raises:
        ConfigurationError: one is not in the trajectory, or is kept twice.

    Example:
        >>> trajectory = torch.arange(6.0).reshape(1, 1, 3, 2)
        >>> Snapshots((0, -1), total=3)(trajectory)
        tensor([[[[0., 1.],
                  [4., 5.]]]])
    """

    index: Tensor

    def __init__(
        self,
        kept: Annotated[tuple[int, ...], Field("which snapshots are measured, counted from 0")],
        total: Annotated[int, Field("number of snapshots of a trajectory", at_least=1)],
        axis: Annotated[int, Field("dimension of time within one sample", at_least=0)] = 1,
    ):
        super().__init__()
        outside = [k for k in kept if not -total <= k < total]
        if outside or not kept:
            raise ConfigurationError(
                f"Snapshots: 'kept' is {kept}, but must name at least one of {total} snapshots, from 0 to {total - 1}."
            )
        places = [k % total for k in kept]
        if len(set(places)) < len(places):
            raise ConfigurationError(f"Snapshots: 'kept' is {kept}, but must name each snapshot once.")
        self.total, self.axis = total, axis
        self.register_buffer("index", torch.tensor(places), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self._require(x, self.total)
        return x.index_select(self.axis + 1, self.index)

    def adjoint(self, y: Tensor) -> Tensor:
        self._require(y, len(self.index))
        shape = list(y.shape)
        shape[self.axis + 1] = self.total
        return y.new_zeros(shape).index_copy(self.axis + 1, self.index, y)

    def _require(self, x: Tensor, size: int) -> None:
        if x.ndim < self.axis + 2 or x.shape[self.axis + 1] != size:
            raise ShapeError(
                f"Snapshots: was given shape {tuple(x.shape)}, but takes samples whose dimension {self.axis} has "
                f"{size} entries."
            )
