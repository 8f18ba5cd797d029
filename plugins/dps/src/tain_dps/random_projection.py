"""Random projections: a few inner products with random vectors, as in compressed sensing."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field
from tain_dps.linear_operator import LinearOperator, require_shape

__all__ = ["RandomProjection"]


@final
class RandomProjection(LinearOperator):
    """Inner products with random vectors, whose entries are normal with variance 1 / count: (B, *S) to (B, count).

    So the expected squared length of a measurement is that of the sample.

    Source: Near-Optimal Signal Recovery From Random Projections, https://arxiv.org/abs/math/0410542

    Args:
        event_shape: shape S of one sample.
        count: how many.
        seed: of the random vectors.

    Example:
        >>> RandomProjection((1, 8, 8), count=5)(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 5])
    """

    matrix: Tensor

    def __init__(
        self,
        event_shape: Annotated[tuple[int, ...], Field("shape of one sample", at_least=1)],
        count: Annotated[int, Field("number of inner products", at_least=1)],
        seed: Annotated[int, Field("seed of the random vectors", at_least=0)] = 0,
    ):
        super().__init__()
        self.event_shape, self.count = event_shape, count
        rng = torch.Generator().manual_seed(seed)
        rows = torch.randn(count, torch.Size(event_shape).numel(), generator=rng, dtype=torch.float64)
        self.register_buffer("matrix", rows / count**0.5, persistent=False)  # the seed tells it

    def forward(self, x: Tensor) -> Tensor:
        require_shape("RandomProjection", x, self.event_shape)
        return x.flatten(1) @ self.matrix.to(x).T

    def adjoint(self, y: Tensor) -> Tensor:
        require_shape("RandomProjection.adjoint", y, (self.count,))
        return (y @ self.matrix.to(y)).reshape(len(y), *self.event_shape)
