"""What both multiplicative mirror maps of positive images have in common: those of the simplex, scaled to the total."""

import abc
import math
from typing import Generic, TypeVar

from torch import Tensor

from tain import ConfigurationError, Potential
from tain_analytic import SimplexEntropy, SimplexSoftmax
from tain_science.brightness import Brightness

__all__ = ["BrightnessMap"]

M = TypeVar("M", SimplexEntropy, SimplexSoftmax)


class BrightnessMap(Potential, abc.ABC, Generic[M]):
    """phi(x) = total phi_s(x / total), where phi_s is the potential of `shares`, the map of the pixels' shares."""

    constraint: Brightness

    def __init__(self, constraint: Brightness):
        super().__init__()
        if not constraint.positive:
            raise ConfigurationError(
                f"{type(self).__name__}: 'constraint' is {constraint}, but must have positive=True: logarithms need "
                "pixels above 0. For images of either sign, use EuclideanProjection."
            )
        self.constraint = constraint

    @abc.abstractmethod
    def shares(self, pixels: int) -> M:
        """The mirror map of the simplex of so many parts."""

    @abc.abstractmethod
    def flat(self, y: Tensor) -> Tensor:
        """Mirror images as those of the shares: (B, *T) to (B, n)."""

    @abc.abstractmethod
    def shaped(self, y: Tensor, x: Tensor) -> Tensor:
        """The shares' mirror images as those of images x: (B, n), (B, C, H, W) to (B, *T)."""

    @abc.abstractmethod
    def image(self, share: Tensor, y: Tensor) -> Tensor:
        """Shares in the shape of the images whose mirror images are y: (B, C H W), (B, *T) to (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """The log-ratios of the pixels: (B, C, H, W) to (B, *T).

        Raises:
            OutsideSetError: an image is outside of the set by more than its tolerance.
        """
        self.constraint.require(x)
        map_of_shares = self._map_of(x)
        # Log-ratios do not depend on the sum, so rounding of x / total is no matter.
        return self.shaped(map_of_shares.contract(map_of_shares.inside(self._share(x)).log()), x)

    def inverse(self, y: Tensor) -> Tensor:
        """The softmax of the log-ratios, times the total: (B, *T) to (B, C, H, W)."""
        flat = self.flat(y)
        share = self.shares(self._parts(flat)).inverse(flat)
        return self.constraint.total * self.image(share, y)

    def potential(self, x: Tensor) -> Tensor:
        """phi(x) = sum of x_i log(x_i / total): (B, C, H, W) to (B,)."""
        return self.constraint.total * self._map_of(x).potential(self._share(x))

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(y) = total phi_s*(y): (B, *T) to (B,)."""
        flat = self.flat(y)
        return self.constraint.total * self.shares(self._parts(flat)).conjugate(flat)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The log-ratios' derivative along v: (B, C, H, W), (B, C, H, W) to (B, *T)."""
        return self.shaped(self._map_of(x).hessian_vector(self._share(x), self._share(v)), x)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """The inverse of that: (B, C, H, W), (B, *T) to (B, C, H, W)."""
        tangent = self._map_of(x).inverse_hessian_vector(self._share(x), self.flat(w))
        return self.constraint.total * tangent.view(x.shape)

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """That of the shares, times the total: (B, C, H, W), (B, *T) to (B,)."""
        return self.constraint.total * self._map_of(x).pairing(self._share(x), self.flat(y))

    def _map_of(self, x: Tensor) -> M:
        return self.shares(math.prod(x.shape[1:]))

    def _share(self, x: Tensor) -> Tensor:
        return x.flatten(1) / self.constraint.total

    def _parts(self, flat: Tensor) -> int:
        """How many pixels there are, from how many coordinates the shares' mirror images have."""
        return flat.shape[1]
