"""One trial of a check: what a seed, a number of rows and a dtype make of a subject."""

import copy
from typing import Any

import attrs
import torch
from torch import Tensor

from tain.configured import Configured
from tain.testing import points
from tain.testing.subjects import Subject

__all__ = ["Trial", "in_dtype"]


@attrs.frozen(eq=False)
class Trial:
    """One example that a check is tried on. Everything random in it follows from its seed.

    Attributes:
        subject: what is tested.
        seed, rows, dtype: the random numbers, the size of the batches, and the numbers' type.
    """

    subject: Subject
    seed: int
    rows: int
    dtype: torch.dtype

    @property
    def precise(self) -> bool:
        """Whether the numbers hold more than ten digits."""
        return torch.finfo(self.dtype).eps < 1e-10

    @property
    def rounding(self) -> float:
        """The relative error of one operation."""
        return float(torch.finfo(self.dtype).eps)

    def component(self) -> Any:
        """The component, with its weights and buffers in the trial's dtype."""
        return in_dtype(self.subject.component, self.dtype)

    def rng(self, stream: int = 0) -> torch.Generator:
        """The random numbers of one stream; different streams are independent."""
        return torch.Generator().manual_seed(1000 * self.seed + stream)

    def inside(self, stream: int = 0) -> Tensor:
        """Points inside the set, (rows, *S)."""
        return points.inside(self.subject, self.rows, self.rng(stream), self.dtype).detach().clone()

    def anywhere(self, stream: int = 0) -> Tensor:
        """Points inside and outside, (rows, *S)."""
        return points.anywhere(self.subject, self.rows, self.rng(stream), self.dtype)

    def outside(self, stream: int = 0) -> Tensor:
        """Points outside of the set, (rows, *S)."""
        return points.outside(self.subject, self.rows, self.rng(stream), self.dtype)

    def boundary(self, stream: int = 0) -> Tensor:
        """Points on the set's boundary, (rows, *S)."""
        return points.on_boundary(self.subject, self.rows, self.rng(stream), self.dtype)

    def images(self, stream: int = 0) -> Tensor:
        """Mirror images of any size, (rows, *T)."""
        largest = self.subject.largest_image
        return points.mirror_images(self._mirror_shape(), self.rows, self.rng(stream), self.dtype, largest)

    def normal(self, shape: tuple[int, ...], stream: int = 0) -> Tensor:
        """Normal numbers, (rows, *shape)."""
        return torch.randn((self.rows, *shape), generator=self.rng(stream), dtype=torch.float64).to(self.dtype)

    def plain_images(self, stream: int = 0) -> Tensor:
        """Mirror images of the size of 1, (rows, *T)."""
        return self.normal(self._mirror_shape(), stream)

    def tangent(self, x: Tensor, stream: int = 90) -> Tensor:
        """Directions in which x can move within its set, flat sets included: to other points inside."""
        return points.inside(self.subject, len(x), self.rng(stream), self.dtype).detach() - x.detach()

    def _mirror_shape(self) -> tuple[int, ...]:
        return tuple(self.component().mirror_shape(self.subject.event_shape))


def in_dtype(component: Configured, dtype: torch.dtype) -> Configured:
    """The component itself if it holds no number of another dtype, else a copy that holds none."""
    held = (*component.parameters(), *component.buffers())
    if all(tensor.dtype == dtype for tensor in held if tensor.is_floating_point()):
        return component
    return copy.deepcopy(component).to(dtype)
