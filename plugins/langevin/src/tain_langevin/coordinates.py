"""Coordinates in which a Legendre map is the gradient of a potential, and its Hessian a matrix.

Sets may be flat (the simplex is), and samples need not be vectors. So let u be coordinates of the affine hull of the
set, x = x_0 + L u, for which the map's pairing is a dot product: <L u, y> = u . y. In them phi is an ordinary convex
function, y = grad_u phi, its Hessian is D = dy / du, a symmetric matrix, and the gradient of any f is L' grad_x f.
"""

import math

import torch
from torch import Tensor

from tain import ConfigurationError, Legendre

__all__ = ["Coordinates"]

_MOST = 512


class Coordinates:
    """Coordinates of the set of a Legendre map, m of them.

    Hessians are written out: m products of the map's a point, memory for m^2 numbers, and factors in time m^3.

    Args:
        mirror: the map.
        event_shape: shape of one sample.

    Raises:
        ConfigurationError: more than 512 coordinates.
    """

    def __init__(self, mirror: Legendre, event_shape: tuple[int, ...]):
        self._mirror = mirror
        self._shape = tuple(mirror.mirror_shape(event_shape))
        self.size = m = math.prod(self._shape)
        if m > _MOST:
            raise ConfigurationError(
                f"{type(mirror).__name__}: has {m} coordinates, but Hessians are written out for at most {_MOST}. Use "
                "the solver 'dual-langevin', which needs none."
            )
        eye = torch.eye(m, dtype=torch.float64)
        x = mirror.inverse(torch.zeros(m, *self._shape, dtype=torch.float64))
        tangents = mirror.inverse_hessian_vector(x, eye.reshape(m, *self._shape))
        with torch.enable_grad():  # the pairing is linear in y: its gradient tells the dot products with all images
            y = torch.zeros(m, *self._shape, dtype=torch.float64).requires_grad_()
            (gram,) = torch.autograd.grad(mirror.pairing(tangents, y).sum(), y)
        self._lift = torch.linalg.solve(gram.flatten(1), tangents.flatten(1))  # rows L e_k

    def gradient(self, slope: Tensor) -> Tensor:
        """L' grad_x f: (C, *S) to (C, m)."""
        return slope.flatten(1) @ self._on(slope).mT

    def direction(self, u: Tensor, event_shape: tuple[int, ...]) -> Tensor:
        """L u, a tangent: (C, m) to (C, *S)."""
        return (u @ self._on(u)).reshape(-1, *event_shape)

    def hessian(self, x: Tensor) -> Tensor:
        """D(x): (C, *S) to (C, m, m)."""
        count, event = len(x), x.shape[1:]
        rows = x[:, None].expand(count, self.size, *event).reshape(-1, *event)
        tangents = self._on(x).expand(count, -1, -1).reshape(-1, *event)
        product = self._mirror.hessian_vector(rows, tangents).reshape(count, self.size, self.size)
        return (product + product.mT) / 2

    def _on(self, x: Tensor) -> Tensor:
        return self._lift.to(x.dtype).to(x.device)
