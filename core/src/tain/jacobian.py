"""The equations of a rule, and the shortest steps that solve them where they are replaced by their tangents.

Sources:
    Methods of conjugate gradients for solving linear systems, https://doi.org/10.6028/jres.049.044
    A new trick for calculating Jacobian vector products, https://j-towns.github.io/2017/06/12/A-new-trick.html
"""

import torch
from torch import Tensor
from torch.autograd import grad

from tain.capabilities import supports
from tain.constraints import Constraint, Residual
from tain.errors import ConfigurationError
from tain.rows import inner, per_row

__all__ = ["Jacobian", "equations", "shortest"]

_ITERATIONS = 30  # of conjugate gradients at most; what they leave is left to the next step


def equations(constraint: Constraint, x: Tensor) -> Tensor:
    """What must be zero, (B, *S) to (B, K): the rule's residual if it has one, else its distance alone."""
    return constraint.residual(x) if supports(constraint, Residual) else constraint.distance(x)[:, None]


class Jacobian:
    """The equations of each row, `values`, (B, K), and their derivative J as a product with vectors.

    J is never written out. J p is the derivative of J' u by u: that needs no forward derivatives, which not every
    operation has. One equation needs no second derivative either.

    Args:
        constraint: the rule.
        x: samples, (B, *S).
        scale: J is the derivative by x / scale, of any shape that multiplies x.

    Raises:
        ConfigurationError: the rule is cut off from autograd.
    """

    def __init__(self, constraint: Constraint, x: Tensor, scale: Tensor | float = 1.0) -> None:
        self._x, self._scale = x.detach().requires_grad_(), scale
        self._values = equations(constraint, self._x)
        if not self._values.requires_grad:
            name = "residual" if supports(constraint, Residual) else "distance"
            raise ConfigurationError(
                f"{type(constraint).__name__}.{name}: is cut off from its input, so it has no gradient to refine by. "
                "Do not detach it or use no_grad."
            )
        self.values = self._values.detach()
        self._one = self.values.shape[1] == 1
        self._weights = torch.ones_like(self.values).requires_grad_()
        self._pulled = self._pull(self._weights, create_graph=not self._one)

    def times(self, p: Tensor) -> Tensor:
        """J p: (B, *S) to (B, K)."""
        if self._one:
            return inner(self._pulled, p)[:, None]
        if not self._pulled.requires_grad:
            return torch.zeros_like(self.values)
        (product,) = grad(self._pulled, self._weights, p, retain_graph=True, materialize_grads=True)
        return product

    def transposed_times(self, u: Tensor) -> Tensor:
        """J' u: (B, K) to (B, *S)."""
        return per_row(u[:, 0], self._pulled) * self._pulled if self._one else self._pull(u)

    def _pull(self, u: Tensor, create_graph: bool = False) -> Tensor:
        (slope,) = grad(self._values, self._x, u, retain_graph=True, create_graph=create_graph, materialize_grads=True)
        return slope * self._scale


def shortest(jacobian: Jacobian, wanted: Tensor, iterations: int = _ITERATIONS) -> Tensor:
    """The shortest v for which J v is nearest to `wanted`, (B, K) to (B, *S), by conjugate gradients, row by row.

    Of few iterations v is what they come to: after one, Cauchy's step along the gradient.
    """
    rounding = torch.finfo(wanted.dtype).eps
    rest, slope = wanted, jacobian.transposed_times(wanted)
    v, direction, square = torch.zeros_like(slope), slope, inner(slope, slope)
    enough, noise = rounding * inner(wanted, wanted), (30 * rounding) ** 2 * square
    for _ in range(iterations):
        on = (inner(rest, rest) > enough) & (square > noise)
        if not on.any():
            break
        image = jacobian.times(direction)
        length = torch.where(on, square / inner(image, image), 0)
        v = v + per_row(length, v) * direction
        rest = rest - per_row(length, rest) * image
        slope, before = jacobian.transposed_times(rest), square
        square = torch.where(on, inner(slope, slope), 0)  # a row that has stopped takes no part any more
        direction = slope + per_row(torch.where(on, square / before, 0), slope) * direction
    return v
