"""How well samples explain a measurement; and the refusal of problems that nobody can solve."""

from collections.abc import Callable
from typing import final

import attrs
import torch
from torch import Tensor

from tain import ConfigurationError, Constraint, DataError, Posterior, ShapeError
from tain_dps.noise import MeasurementNoise
from tain_dps.space import Space

__all__ = ["Likelihood"]


@final
@attrs.frozen(eq=False)
class Likelihood:
    """The measurement of some rows, and how it came about: m = operator(samples(y_0)) + noise.

    Attributes:
        space: the denoiser, and the way from its space to samples.
        operator: samples (b, *S) to (b, *M).
        measurement: m, (b, *M).
        noise: of the measurement.
        constraint: the rule of the problem, else that of the prior's outermost mirror map, if there is one.
    """

    space: Space
    operator: Callable[[Tensor], Tensor]
    measurement: Tensor
    noise: MeasurementNoise
    constraint: Constraint | None

    @classmethod
    def of(cls, problem: Posterior, owner: str) -> "Likelihood":
        """That of all rows of a problem, which is checked without evaluating its operator.

        Raises:
            MissingCapabilityError: the prior is no denoiser.
            DataError: the measurement is empty, or holds a number that is not finite.
            ShapeError: the operator or the constraint is of another shape than the prior's samples, or the noise than
                the measurement.
            ConfigurationError: noise that is none.
        """
        space = Space.of(problem.prior, owner)
        _require_numbers(problem.measurement, owner)
        rule = problem.constraint or (space.maps[-1].constraint if space.maps else None)
        shape = tuple(problem.prior.event_shape)
        for name, part in (("operator", problem.operator), ("constraint", rule)):
            wanted = getattr(part, "event_shape", None)
            if wanted is not None and tuple(wanted) != shape:
                raise ShapeError(
                    f"{owner}: the {name}, {type(part).__name__}, takes samples of shape {tuple(wanted)}, but those of "
                    f"the prior have {shape}."
                )
        if rule is not None and rule.event_ndim != len(shape):
            raise ShapeError(
                f"{owner}: the constraint, {type(rule).__name__}, takes samples of {rule.event_ndim} dimensions, but "
                f"those of the prior have {len(shape)}: {shape}."
            )
        like = space.denoiser.scale
        noise = MeasurementNoise.of(problem, owner, like)
        return cls(space, problem.operator, problem.measurement.detach().to(like), noise, rule)

    def rows(self, part: slice) -> "Likelihood":
        """That of some of the rows."""
        return attrs.evolve(self, measurement=self.measurement[part])

    def residual(self, x: Tensor) -> Tensor:
        """m - operator(x): samples (b, *S) to (b, *M)."""
        return self.measurement - self.operator(x)

    def try_out(self, owner: str) -> int:
        """Evaluate all parts on two rows of zeros, forward only. How many bytes a row stores for its gradient.

        Raises:
            ShapeError: the operator's output has another shape than the measurement.
            ConfigurationError: the operator fails, or is cut off from autograd.
        """
        stored = [self._try_rows(owner, count) for count in (1, 2)]
        return max(1, stored[1] - stored[0])  # what does not grow with the rows is that of the weights

    def _try_rows(self, owner: str, count: int) -> int:
        stored, like = 0, self.space.denoiser.scale

        def pack(tensor: Tensor) -> Tensor:
            nonlocal stored
            stored += tensor.numel() * tensor.element_size()
            return tensor

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y_t = like.new_zeros(count, *like.shape).requires_grad_()
            x = self.space.samples(self.space.denoiser.denoise(y_t, like.new_ones(count)))
            try:
                output = self.operator(x)
            except (RuntimeError, IndexError, TypeError) as cause:
                raise ConfigurationError(
                    f"{owner}: the operator fails on samples of shape {tuple(x.shape)}: {type(cause).__name__}: {cause}"
                ) from cause
        wanted = (count, *self.measurement.shape[1:])
        if not isinstance(output, Tensor) or tuple(output.shape) != wanted:
            given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ShapeError(
                f"{owner}: for a batch of {count} the operator gives {given}, but the measurement has shape "
                f"{tuple(self.measurement.shape)}, a row for each sample, so it must give {wanted}. A single "
                "measurement needs a dimension of rows too: m[None]."
            )
        if not output.requires_grad:
            raise ConfigurationError(
                f"{owner}: the operator is cut off from its input, so nothing can be learned from the measurement. Do "
                "not detach it, use no_grad, or turn to numpy within."
            )
        return stored


def _require_numbers(measurement: Tensor, owner: str) -> None:
    """Refuse what is no measurement, or not throughout."""
    if measurement.ndim == 0 or measurement.numel() == 0 or measurement.is_complex():
        raise DataError(
            f"{owner}: the measurement has shape {tuple(measurement.shape)} and {measurement.dtype}, but must have "
            "real numbers and a row for each sample. Stack real and imaginary parts."
        )
    wrong = ~measurement.isfinite().reshape(len(measurement), -1)
    if bool(wrong.any()):
        row = int(wrong.any(1).nonzero()[0])
        raise DataError(
            f"{owner}: {int(wrong.sum())} of {wrong.numel()} numbers of the measurement are not finite, the first in "
            f"row {row}. Leave them out of measurement and operator: with keep = measurement[0].isfinite(), for one "
            "pattern of all rows, measure Select(keep)(operator(x)) and give Select(keep)(measurement)."
        )
