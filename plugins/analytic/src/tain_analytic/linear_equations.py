"""Linear equations given by an operator, A x = b, with a projection that never forms a matrix."""

import abc
from typing import Any

import torch
from torch import Tensor

from tain import Projectable, Residual, TainError

__all__ = ["LinearEquations"]

MOST_STEPS = 1000


class LinearEquations(Projectable, Residual, abc.ABC):
    """The solutions of linear equations that a function computes: {x : equations(x) = 0}. Subclass it.

    The projection x - A' (A A')^+ (A x - b) takes products with A, from `equations`, and with A', from its derivative;
    A A' is inverted by the method of conjugate gradients. Equations that follow from the others are allowed. For few
    equations as a matrix, use `AffineSubspace`.

    A subclass has `event_ndim`, `event_shape`, and the method `equations`. Each row is on its own.

    Sources:
        Methods of Conjugate Gradients for Solving Linear Systems, https://doi.org/10.6028/jres.049.044
        Convex Optimization (section 8.1.1, projection on an affine set), https://doi.org/10.1017/CBO9780511804441

    Example:
        >>> import torch
        >>> from tain_analytic import LinearEquations
        >>> class Brightness(LinearEquations):
        ...     event_ndim, event_shape, scale = 3, (1, 2, 2), 8.0
        ...     def equations(self, x):
        ...         return x.sum((1, 2, 3))[:, None] - 8.0
        >>> Brightness().project(torch.tensor([[[[1.0, 0.0], [0.0, 3.0]]]]))
        tensor([[[[2., 1.],
                  [1., 4.]]]])
    """

    event_shape: tuple[int, ...]
    _length: float | None = None

    @abc.abstractmethod
    def equations(self, x: Tensor) -> Tensor:
        """A x - b, differentiable: (B, *event_shape) to (B, K)."""

    def residual(self, x: Tensor) -> Tensor:
        """A x - b: (B, *event_shape) to (B, K)."""
        return self.equations(x)

    def distance(self, x: Tensor) -> Tensor:
        """The root mean square of A x - b, less what rounding of x accounts for: (B, *event_shape) to (B,).

        That is 8 rounding errors of numbers as large as the entries of x, through rows as long as those of A.
        """
        rounding = 8 * torch.finfo(x.dtype).eps * self._row_length(x) * _mean_size(x.flatten(1))
        return (_mean_size(self.equations(x)) - rounding).relu()

    def project(self, x: Tensor) -> Tensor:
        """The nearest solution: (B, *event_shape) to (B, *event_shape). Differentiable. It computes in float64.

        Raises:
            TainError: rows that are not brought onto the equations, which contradict each other or are too ill
                conditioned.
        """
        return _Projection.apply(x, self)

    @torch.no_grad()
    def _projected(self, x: Tensor) -> Tensor:
        nearest = x.double()
        for _ in range(6):  # each time takes away 12 digits of what the time before left
            missed = self.distance(nearest) > self.tolerance(torch.float64)
            if not bool(missed.any()):
                break
            correction = self._correction(self.equations(nearest))
            nearest = torch.where(_like(missed, nearest), nearest - correction, nearest)
        limit = (1e-9 * self.distance(x.double())).clamp(min=self.tolerance(x.dtype))
        self._require_solved(self.distance(nearest) > limit)
        return nearest.to(x.dtype)

    def _require_solved(self, missed: Tensor) -> None:
        if bool(missed.any()):
            raise TainError(
                f"{type(self).__name__}.project: rows {missed.nonzero().flatten().tolist()[:5]} are not brought onto "
                "the equations, which contradict each other or are too ill conditioned. Leave out equations, or "
                "rescale them to be of like size."
            )

    @torch.no_grad()
    def _correction(self, residual: Tensor) -> Tensor:
        """A' (A A')^+ r by conjugate gradients, the shortest v with A v = r: (B, K) to (B, *event_shape)."""
        v = residual.new_zeros(len(residual), *self.event_shape)
        r = p = residual
        size = first = r.square().sum(1)
        for _ in range(MOST_STEPS):
            active = size > 1e-24 * first  # a row that is done waits for the others
            if not bool(active.any()):
                break
            q = self._adjoint(p)
            curvature = q.flatten(1).square().sum(1)  # <p, A A' p>
            step = torch.where(active, size / torch.where(curvature > 0, curvature, torch.inf), 0)
            v = v + _like(step, v) * q  # v = A' (the multipliers), gathered without a further product
            r = r - step[:, None] * self._forward(q)
            after = torch.where(active, r.square().sum(1), size)
            p = r + (after / torch.where(size > 0, size, 1))[:, None] * p
            size = after
        return v

    def _row_length(self, x: Tensor) -> float:
        """The root mean square length of A's rows, from A' p for signs p at random: it has the size |A| in the mean."""
        if self._length is None:
            count = self.equations(x[:0]).shape[1]
            signs = torch.randint(2, (16, count), generator=torch.Generator().manual_seed(0)) * 2 - 1
            signs = signs.to(x.device, torch.float64)
            self._length = float(self._adjoint(signs).square().sum() / (16 * count)) ** 0.5
        return self._length

    def _forward(self, v: Tensor) -> Tensor:
        """A v."""
        return self.equations(v) - self.equations(torch.zeros_like(v[:1]))

    def _adjoint(self, p: Tensor) -> Tensor:
        """A' p, the derivative of <A x - b, p> in x, wherever that is taken."""
        with torch.enable_grad():
            x = p.new_zeros(len(p), *self.event_shape).requires_grad_()
            (slope,) = torch.autograd.grad(self.equations(x), x, p)
        return slope


class _Projection(torch.autograd.Function):
    """The projection onto the solutions. Its derivative is that onto the solutions of A x = 0, its own transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: LinearEquations) -> Tensor:
        ctx.rule = rule
        return rule._projected(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return _Tangent.apply(slopes[0], ctx.rule), None


class _Tangent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, rule: LinearEquations) -> Tensor:
        ctx.rule = rule
        return (v - rule._correction(rule._forward(v.double()))).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return _Tangent.apply(slopes[0], ctx.rule), None


def _mean_size(residual: Tensor) -> Tensor:
    """The root mean square of each row: (B, K) to (B,)."""
    return torch.linalg.vector_norm(residual, dim=1) / residual.shape[1] ** 0.5


def _like(each: Tensor, x: Tensor) -> Tensor:
    """A number for each row, (B,), in a shape that broadcasts against x."""
    return each.view(-1, *[1] * (x.ndim - 1))
