"""Linear equations that join each unknown to its two neighbours on a ring, solved for many rows at once."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["Bands", "solve", "times", "transposed"]

Bands = tuple[Tensor, Tensor, Tensor]
"""A matrix (..., X, X) by its lower, main and upper diagonal, each (..., X): (A x)_i = l_i x_i-1 + d_i x_i + u_i x_i+1,
the indices taken round the ring."""


def times(matrix: Bands, x: Tensor) -> Tensor:
    """A x: (..., X) to (..., X)."""
    lower, diagonal, upper = matrix
    return lower * x.roll(1, -1) + diagonal * x + upper * x.roll(-1, -1)


def transposed(matrix: Bands) -> Bands:
    """A', by its diagonals."""
    lower, diagonal, upper = matrix
    return upper.roll(1, -1), diagonal, lower.roll(-1, -1)


def solve(matrix: Bands, right: Tensor) -> Tensor:
    """The x with A x = right, (..., X) to (..., X), for X of at least 3. Differentiable as often as one likes.

    Elimination without pivoting, which is accurate for matrices whose diagonal dominates, as those of implicit steps in
    time are. Every second unknown is eliminated while their number is even, which takes a few large operations.

    Source: On direct methods for solving Poisson's equations, https://doi.org/10.1137/0707049 (cyclic reduction)
    """
    return _Solve.apply(*matrix, right)


class _Solve(torch.autograd.Function):
    """A x = r. With the differential of both sides, A dx = dr - dA x."""

    @staticmethod
    def forward(lower: Tensor, diagonal: Tensor, upper: Tensor, right: Tensor) -> Tensor:
        first = (band.movedim(-1, 0) for band in (lower, diagonal, upper, right))
        return _reduced(*first).movedim(0, -1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3], output)
        ctx.save_for_forward(*inputs[:3], output)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        *matrix, x = ctx.saved_tensors
        right = solve(transposed((matrix[0], matrix[1], matrix[2])), slopes[0])
        return -right * x.roll(1, -1), -right * x, -right * x.roll(-1, -1), right

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        *matrix, x = ctx.saved_tensors
        *changes, right = tangents
        return solve((matrix[0], matrix[1], matrix[2]), right - times((changes[0], changes[1], changes[2]), x))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Any) -> Any:
        first = [tensor if dim is None else tensor.movedim(dim, 0) for tensor, dim in zip(given, in_dims, strict=True)]
        return _Solve.apply(*torch.broadcast_tensors(*first)), 0


def _reduced(low: Tensor, main: Tensor, up: Tensor, known: Tensor) -> Tensor:
    """The solution, (X, ...), by that of half as many unknowns, x_0, x_2, ..., if there is an even number of them."""
    if len(main) == 1:
        return known / (low + main + up)
    if len(main) % 2:
        return _eliminated(low, main, up, known)
    pivot = 1 / main[1::2]
    left, right, rest = low[1::2] * pivot, up[1::2] * pivot, known[1::2] * pivot  # x_1 = rest - left x_0 - right x_2
    low, main, up, known = low[::2], main[::2], up[::2], known[::2]
    main = main - low * right.roll(1, 0) - up * left
    known = known - low * rest.roll(1, 0) - up * rest
    even = _reduced(-low * left.roll(1, 0), main, -up * right, known)
    return torch.stack((even, rest - left * even - right * even.roll(-1, 0)), 1).flatten(0, 1)


def _eliminated(low: Tensor, main: Tensor, up: Tensor, known: Tensor) -> Tensor:
    """The solution, (X, ...), one unknown after the other: each as p + q times the last, which closes the ring."""
    last, none = len(main) - 1, torch.zeros_like(main[0])
    scaled, carried = [none], [torch.zeros_like(known[:1]).expand(2, *none.shape)]
    for i in range(last):  # after elimination, x_i = carried - scaled x_i+1
        below = low[i] if i > 0 else none
        border = -low[i] * (i == 0) - up[i] * (i == last - 1)  # what the last unknown adds to the right side
        pivot = 1 / torch.addcmul(main[i], below, scaled[-1], value=-1)
        carried.append(torch.addcmul(torch.stack((known[i], border)), below, carried[-1], value=-1) * pivot)
        scaled.append(up[i] * pivot)
    for i in range(last - 1, 0, -1):
        carried[i] = torch.addcmul(carried[i], scaled[i], carried[i + 1], value=-1)
    p, q = torch.stack(carried[1:]).unbind(1)
    closing = main[last] + low[last] * q[-1] + up[last] * q[0]
    x = (known[last] - low[last] * p[-1] - up[last] * p[0]) / closing
    return torch.cat((p + q * x, x[None]))
