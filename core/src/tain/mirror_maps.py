"""A mirror map: carries the set of a constraint to a space without constraints, and back.

The name is that of mirror descent: for a strictly convex potential phi on the set, the mirror map is grad phi and its
inverse is grad phi*, the gradient of the convex conjugate. Generative models then live in the mirror space, and every
sample comes back inside the set.

Sources:
    Mirror Diffusion Models, https://arxiv.org/abs/2308.06342
    Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
"""

import abc

from torch import Tensor

from tain.configured import Configured
from tain.constraints import Constraint

__all__ = ["Bijective", "Legendre", "MirrorMap", "Potential", "Projective"]


class MirrorMap(Configured, abc.ABC):
    """A map from the set of `constraint` to an unconstrained space, with its inverse.

    Attributes:
        constraint: the rule that every output of `inverse` keeps.
    """

    constraint: Constraint

    @abc.abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Mirror images: x (B, *S) in the set, to y (B, *T).

        Raises:
            OutsideSetError: a sample is outside of the set by more than the constraint's tolerance.
        """

    @abc.abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """Points of the set: y (B, *T), any finite numbers, to x (B, *S)."""

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the mirror image of a sample of shape `event_shape`."""
        return event_shape

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a sample whose mirror image has shape `mirror_shape`."""
        return mirror_shape


class Bijective(MirrorMap):
    """Capability: one to one, with a known change of volume, so that densities are carried along."""

    @abc.abstractmethod
    def log_det(self, x: Tensor) -> Tensor:
        """log |det| of the Jacobian of `forward` at x: (B, *S) to (B,).

        On a flat set the volume is that of the leading coordinates, as for the simplex in `torch.distributions`.
        """


class Potential(MirrorMap):
    """Capability: `forward` is the gradient of a convex potential phi, and `inverse` that of its conjugate.

    Where the set is flat (the simplex has no interior in its space), gradients are taken in coordinates of its affine
    hull, and <x, y> is `pairing(x, y)`. The images may then be a flat part of the mirror space, as those of centred
    log-ratios are: `inverse` still takes every y, but the map is `Legendre` only if it is one to one.
    """

    @abc.abstractmethod
    def potential(self, x: Tensor) -> Tensor:
        """phi(x): (B, *S) to (B,), strictly convex, finite on the interior."""

    @abc.abstractmethod
    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = max over x of <x, y> - phi(x): (B, *T) to (B,). Its gradient is `inverse`."""

    @abc.abstractmethod
    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian of phi at x times a tangent v: x, v (B, *S) to (B, *T). Also the derivative of `forward`."""

    @abc.abstractmethod
    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """The inverse of that: x (B, *S), w (B, *T) to a tangent (B, *S). Also the derivative of `inverse`."""

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """<x, y>, the bilinear form that joins both spaces: (B, *S), (B, *T) to (B,)."""
        return (x * y).flatten(1).sum(1)


class Legendre(Potential, Bijective):
    """Capability: the gradient of a potential, and one to one between the interior of a convex set and all of R^m."""


class Projective(MirrorMap):
    """Capability: `inverse` is a Euclidean projection onto the set.

    The potential is half the squared norm plus the indicator of the set. Its conjugate's gradient is the projection,
    so `inverse` is many to one: inverse(forward(x)) = x on the set, and inverse(y) is the point nearest to y.
    """
