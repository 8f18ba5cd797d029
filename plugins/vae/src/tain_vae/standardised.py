"""Generators that work in standardised units: what they take from the data, and what data they refuse."""

import abc

import torch
from torch import Tensor

from tain import ConfigurationError, DataError, Generator, ShapeError

__all__ = ["Standardised"]


class Standardised(Generator, abc.ABC):
    """A generator whose `prepare` takes the mean and scale of the data.

    Args:
        event_shape: shape of one sample, at least one dimension.
        statistics_shape: shape of mean and scale; 1 where entries along that dimension share them.

    Raises:
        ConfigurationError: `event_shape` is empty.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, event_shape: tuple[int, ...], statistics_shape: tuple[int, ...]):
        super().__init__()
        if not event_shape:
            raise ConfigurationError(
                f"{type(self).__name__}: 'event_shape' is empty, but must have at least 1 entry. Give single numbers "
                "the shape (1,)."
            )
        self.event_shape = event_shape
        self.register_buffer("mean", torch.zeros(statistics_shape))
        self.register_buffer("scale", torch.ones(statistics_shape))

    def prepare(self, y: Tensor) -> None:
        """Take mean and standard deviation of the training data, (N, *event_shape). What does not vary has scale 1.

        Raises:
            ShapeError, DataError: another shape or dtype, no row, a number that is not finite, or numbers so large or
                so close together that their mean or deviation is beyond the limits of the dtype.
        """
        name = type(self).__name__
        self.require(y, self.event_shape)
        if len(y) == 0:
            raise DataError(f"{name}.prepare: there are 0 rows, but at least 1 is needed.")
        axes = [0, *(axis + 1 for axis, size in enumerate(self.mean.shape) if size == 1)]
        # By its extremes and not its deviation, which rounding makes nonzero for constants such as 0.1.
        varies = y.amax(axes) > y.amin(axes)
        mean, scale = y.mean(axes), torch.where(varies, y.std(axes, correction=0), 1)
        if not bool((mean.isfinite() & scale.isfinite() & (scale > 0)).all()):
            raise DataError(
                f"{name}.prepare: the data, from {y.min().item():g} to {y.max().item():g}, have a mean or deviation "
                f"beyond the limits of {y.dtype}. Use other units."
            )
        self.mean.copy_(mean.reshape(self.mean.shape))
        self.scale.copy_(scale.reshape(self.scale.shape))

    def standardised(self, y: Tensor) -> Tensor:
        """(y - mean) / scale: samples (B, *event_shape) to the same.

        Raises:
            ShapeError, DataError: another shape or dtype, or a number that is not finite.
        """
        self.require(y, self.event_shape)
        return (y - self.mean) / self.scale

    def restored(self, u: Tensor) -> Tensor:
        """The inverse of `standardised`."""
        return self.mean + self.scale * u

    def log_volume(self) -> Tensor:
        """The logarithm of the volume that has volume 1 in standardised units."""
        return self.scale.log().expand(self.event_shape).sum()

    def require(self, rows: Tensor, shape: tuple[int, ...], what: str = "samples") -> None:
        """Refuse rows that have not the shape (B, *shape) and the dtype of the model, or hold a number not finite.

        Raises:
            ShapeError: they have another shape or dtype.
            DataError: a number is not finite; the message tells its row and place.
        """
        name = type(self).__name__
        if tuple(rows.shape[1:]) != shape or rows.ndim != len(shape) + 1:
            wanted = ", ".join(map(str, shape))
            raise ShapeError(f"{name}: {what} have shape {tuple(rows.shape)}, but must have (B, {wanted}).")
        if rows.dtype != self.mean.dtype:
            raise ShapeError(
                f"{name}: {what} have dtype {rows.dtype}, but must have that of the model, {self.mean.dtype}. Use "
                f"{what}.to({self.mean.dtype})."
            )
        # Compiled code cannot wait for numbers. A sum of finite ones may be infinite, so then look again.
        if torch.compiler.is_compiling() or bool(rows.detach().sum().isfinite()):
            return
        bad = (~rows.detach().isfinite()).nonzero()
        if len(bad):
            place = tuple(bad[0].tolist())
            raise DataError(
                f"{name}: row {place[0]} of the {what} has {rows[place].item()} at {place[1:]}, but must be finite "
                "throughout. Leave such rows out, or mend them."
            )
