"""A function replaced by its tangent, which is multiplied with vectors both ways and never written out.

Source: A new trick for calculating Jacobian vector products, https://j-towns.github.io/2017/06/12/A-new-trick.html
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import grad

from tain.rows import per_row

__all__ = ["Linearisation"]


class Linearisation:
    """The values of a function of each row, (b, *M), and its derivative G there.

    G z is the derivative of G' u by u, along z. Where G' u has none, as through `tain.refine`, it is a central
    difference of the function.

    Args:
        function: (b, *T) to (b, *M), each row on its own.
        y: where, (b, *T).
        scale: size of the numbers in y, T, for the length of a difference.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], y: Tensor, scale: Tensor) -> None:
        self._function, self._scale = function, scale
        with torch.enable_grad():
            self._y = y.detach().requires_grad_()
            self._values = function(self._y)
            self._weights = torch.zeros_like(self._values).requires_grad_()
            (self._pulled,) = grad(self._values, self._y, self._weights, create_graph=True, materialize_grads=True)
        self.values = self._values.detach()
        self._twice = self._pulled.requires_grad

    def transposed_times(self, u: Tensor) -> Tensor:
        """G' u: (b, *M) to (b, *T)."""
        (slope,) = grad(self._values, self._y, u, retain_graph=True, materialize_grads=True)
        return slope

    def times(self, z: Tensor) -> Tensor:
        """G z: (b, *T) to (b, *M)."""
        if self._twice:
            try:
                (product,) = grad(self._pulled, self._weights, z, retain_graph=True, materialize_grads=True)
                return product
            except RuntimeError as refusal:
                if "once_differentiable" not in str(refusal):
                    raise
                self._twice = False
        return self._difference(z)

    def _difference(self, z: Tensor) -> Tensor:
        y, size = self._y.detach(), torch.finfo(z.dtype).eps ** (1 / 3)  # where rounding and curvature are alike
        length = z.flatten(1).norm(dim=1).clamp_min(torch.finfo(z.dtype).tiny ** 0.5)
        size = size * torch.maximum(y.flatten(1).norm(dim=1), self._scale.norm()) / length
        width = per_row(size, z)
        with torch.no_grad():
            change = self._function(y + width * z) - self._function(y - width * z)
        return change / (2 * per_row(size, change))
