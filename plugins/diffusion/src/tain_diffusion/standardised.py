"""Generators that work in standardised units: mean 0 and scale 1, far samples brought near if asked to."""

import abc

import torch
from torch import Tensor

from tain import DataError, Generator, MissingCapabilityError, ShapeError
from tain_diffusion.arguments import TailsName
from tain_diffusion.tails import lengthened, log_det_shortened, median_and_spread, shortened

__all__ = ["Standardised"]


class Standardised(Generator, abc.ABC):
    """A generator whose `prepare` takes the mean and scale of the data.

    Args:
        event_shape: shape of one sample.
        tails: `kept`, or `shortened` for data with heavy tails, see `tain_diffusion.tails`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, event_shape: tuple[int, ...], tails: TailsName):
        super().__init__()
        self.event_shape = event_shape
        self.tails: TailsName = tails
        self.register_buffer("mean", torch.zeros(event_shape))
        self.register_buffer("scale", torch.ones(event_shape))

    def prepare(self, y: Tensor) -> None:
        """Take mean and scale of the training data, (N, *event_shape). What does not vary keeps the scale 1.

        Raises:
            ShapeError: the data have another shape.
            DataError: a number is not finite, or there is no sample.
        """
        self.require_shape(y)
        if len(y) == 0:
            raise DataError(f"{type(self).__name__}: 'prepare' was given no samples, but needs at least one.")
        wrong = (~torch.isfinite(y.flatten(1))).any(1).nonzero()
        if len(wrong):
            raise DataError(
                f"{type(self).__name__}: {len(wrong)} of {len(y)} training samples hold a number that is not finite, "
                f"the first being row {int(wrong[0])}. Leave such rows out."
            )
        mean, deviation = self.statistics(y) if self.tails == "kept" else median_and_spread(y)
        self.mean.copy_(mean.expand(self.event_shape))
        varies = deviation > 8 * torch.finfo(y.dtype).eps * mean.abs()  # below, it is the rounding of the mean
        self.scale.copy_(torch.where(varies, deviation, 1.0).expand(self.event_shape))

    def statistics(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the training data, (N, *S), each of a shape that broadcasts to S.

        Here those of each entry.
        """
        return y.mean(dim=0), y.std(dim=0, correction=0)

    def standardised(self, y: Tensor) -> Tensor:
        """What networks are trained on: (B, *S) to (B, *S)."""
        z = (y - self.mean) / self.scale
        return z if self.tails == "kept" else shortened(z)

    def restored(self, z: Tensor) -> Tensor:
        """The inverse of `standardised`."""
        return self.mean + self.scale * (z if self.tails == "kept" else lengthened(z))

    def log_det_standardised(self, y: Tensor) -> Tensor:
        """log |det of the Jacobian of `standardised`|: (B, *S) to (B,)."""
        log_det = -self.scale.log().sum().expand(len(y))
        return log_det if self.tails == "kept" else log_det + log_det_shortened((y - self.mean) / self.scale)

    def require_kept_tails(self) -> None:
        """Refuse to denoise where noise is not added to the data as they are.

        Raises:
            MissingCapabilityError: the tails are shortened.
        """
        if self.tails != "kept":
            raise MissingCapabilityError(
                f"{type(self).__name__}: with 'tails' \"shortened\" noise is added to a function of the data, "
                "which makes it no denoiser. Build it with 'tails' \"kept\" to denoise."
            )

    def require_shape(self, y: Tensor) -> None:
        """Refuse samples of another shape.

        Raises:
            ShapeError: they have not (B, *event_shape).
        """
        if tuple(y.shape[1:]) != self.event_shape or y.ndim == 0:
            raise ShapeError(
                f"{type(self).__name__}: samples have shape {tuple(y.shape)}, but must have "
                f"(B, {', '.join(map(str, self.event_shape))})."
            )

    def per_row(self, factor: Tensor) -> Tensor:
        """Numbers (B,), or one for all, shaped to be multiplied with samples (B, *S)."""
        return factor.reshape(-1, *[1] * len(self.event_shape))
