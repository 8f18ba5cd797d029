"""The potential of several intervals side by side, of whatever kinds."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from tain_analytic.intervals import Free, Interval

__all__ = ["IntervalProduct"]


@final
class IntervalProduct(Interval):
    """k intervals, each with the potential of its kind: two finite bounds, one, or none (`Free`).

    Args:
        lower: (k,), -inf for none.
        upper: (k,), inf for none.
        bounded: makes the potential of intervals with lower and upper bounds.
        half: makes that of intervals with one bound, of these and their signs, +1 for a lower bound.
    """

    def __init__(
        self,
        lower: Tensor,
        upper: Tensor,
        bounded: Callable[[Tensor, Tensor], Interval],
        half: Callable[[Tensor, Tensor], Interval],
    ):
        above, below = torch.isfinite(lower), torch.isfinite(upper)
        both, one, none = above & below, above ^ below, ~(above | below)
        kinds = (
            (both, bounded(lower[both], upper[both])),
            (one, half(torch.where(above, lower, upper)[one], torch.where(above, 1.0, -1.0)[one])),
            (none, Free()),
        )
        self._intervals: list[tuple[Tensor, Interval]] = [
            (chosen.nonzero().flatten(), interval) for chosen, interval in kinds if bool(chosen.any())
        ]
        self._order = torch.cat([columns for columns, _ in self._intervals]).argsort()

    def potential(self, x: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.potential(part), x)

    def gradient(self, x: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.gradient(part), x)

    def open_gradient(self, x: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.open_gradient(part), x)

    def hessian(self, x: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.hessian(part), x)

    def log_hessian(self, x: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.log_hessian(part), x)

    def conjugate(self, y: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.conjugate(part), y)

    def inverse(self, y: Tensor) -> Tensor:
        return self._each(lambda interval, part: interval.inverse(part), y)

    def _each(self, function: Callable[[Interval, Tensor], Tensor], z: Tensor) -> Tensor:
        """Give each kind of interval its columns of z, and put the results back in their order: (B, k) to (B, k)."""
        if len(self._intervals) == 1:
            return function(self._intervals[0][1], z)
        parts = [function(interval, z[:, columns]) for columns, interval in self._intervals]
        return torch.cat(parts, 1)[:, self._order]
