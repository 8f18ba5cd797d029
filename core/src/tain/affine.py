"""A mirror map after a linear change of variables."""

from collections.abc import Mapping
from typing import Annotated, final

import torch
from torch import Tensor

from tain.capabilities import Combined, require_support, same_component, supports
from tain.configured import Configured, Field, configuration
from tain.constraints import Projectable
from tain.errors import ConfigurationError
from tain.mirror_maps import Legendre, MirrorMap
from tain.preimage import Matrix, Preimage, Vector

__all__ = ["AffineMap"]


@final
class AffineMap(Combined, Legendre):
    """The map of the samples u for which x = M u + s is in the set of another map, with the potential phi(M u + s).

        forward    M' forward(M u + s)         inverse    M^-1 (inverse(w) - s), where w = M'^-1 y
        log_det    log_det(x) + 2 log |det M|  conjugate  phi*(w) - <s, w>

    It is Legendre if the other map is: ask `tain.supports(mirror, tain.Legendre)`.

    Valid range: that of the other map, if |M^-1|^2 times y is a finite number (where the set is bounded, |M^-1| times y
    will do). `inverse` and `forward` lose as many digits as the condition number of M has; in float32, keep it below
    1e4.

    Source: Convex Analysis, https://doi.org/10.1515/9781400873173 (theorem 12.3)

    Args:
        map: a mirror map of vectors, (B, n) to (B, n).
        matrix: M, n rows of n numbers, or a tensor (n, n). Its condition number is at most 1e6.
        shift: s, n numbers; zero if not given.

    Raises:
        ConfigurationError: the matrix is not square, finite and invertible (the message tells its condition number),
            is of another size than the map, or the map's images have another shape than its samples.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("any", event_ndim=1)
        ... def anything(x):
        ...     return 0 * x.sum(-1)
        >>> class Itself(tain.MirrorMap):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.constraint = anything
        ...     def forward(self, x):
        ...         return x
        ...     def inverse(self, y):
        ...         return y
        >>> mirror = tain.AffineMap(Itself(), matrix=[[2.0, 0.0], [0.0, 1.0]], shift=[1.0, 0.0])
        >>> mirror(torch.tensor([[1.0, 1.0]]))
        tensor([[6., 1.]])
    """

    constraint: Preimage

    def __init__(
        self,
        map: Annotated[MirrorMap, Field("the mirror map of M u + s")],
        matrix: Annotated[Matrix, Field("M: n rows of n numbers")],
        shift: Annotated[Vector | None, Field("s: n numbers, by default zero")] = None,
    ):
        super().__init__()
        self.map = map
        self.constraint = Preimage(map.constraint, matrix, shift)
        shape = self.constraint.event_shape
        if map.mirror_shape(shape) != shape:
            raise ConfigurationError(
                f"AffineMap: 'map', {type(map).__name__}, has mirror images of shape {map.mirror_shape(shape)} for "
                f"samples of shape {shape}, but must have the same for both, since M' has to fit the images."
            )

    @classmethod
    def of(cls, map: MirrorMap, preimage: Preimage) -> "AffineMap":
        """The map of that very set, from a map of what it is the preimage of; so `mirror_for` has to give it.

        Raises:
            ConfigurationError: `map` is of another rule.
        """
        if not same_component(map.constraint, preimage.constraint):
            raise ConfigurationError(
                f"AffineMap.of: 'map' is a {type(map).__name__} of {map.constraint}, but must be of "
                f"{preimage.constraint}."
            )
        given = configuration(preimage)  # as it was given, so that both are equal when they come back from a file
        made = cls(map, given["matrix"], given["shift"])
        made.constraint = preimage
        return made

    def made_of(self) -> Mapping[str, Configured]:
        return {"'map'": self.map}

    def forward(self, x: Tensor) -> Tensor:
        """y = M' forward(M u + s): (B, n) to (B, n).

        Rows of M u + s that only rounding of u has carried out of the other map's set are projected onto it, if it can.

        Raises:
            OutsideSetError: a row of M u + s is outside of the other map's set by more than that.
        """
        self.constraint.require(x)
        image, rule = self.constraint.image(x), self.map.constraint
        if supports(rule, Projectable):
            image = torch.where(rule.contains(image)[:, None], image, rule.project(image))
        return self.constraint.times(self.map.forward(image), transposed=True)

    def inverse(self, y: Tensor) -> Tensor:
        """u = M^-1 (inverse(M'^-1 y) - s): (B, n) to (B, n)."""
        return self.constraint.of_image(self.map.inverse(self._image(y)))

    def potential(self, x: Tensor) -> Tensor:
        """phi(M u + s): (B, n) to (B,)."""
        return self._legendre("potential").potential(self.constraint.image(x))

    def conjugate(self, y: Tensor) -> Tensor:
        """phi*(w) - <s, w>, where w = M'^-1 y: (B, n) to (B,)."""
        w = self._image(y)
        inner = self._legendre("conjugate")
        return inner.conjugate(w) - inner.pairing(self.constraint.shift.to(w.dtype).to(w.device).expand_as(w), w)

    def log_det(self, x: Tensor) -> Tensor:
        """log_det(M u + s) + 2 log |det M|, once for M and once for M': (B, n) to (B,)."""
        return self._legendre("log_det").log_det(self.constraint.image(x)) + 2 * self.constraint.log_det

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """M' H(M u + s) M v: (B, n), (B, n) to (B, n)."""
        inner = self._legendre("hessian_vector")
        product = inner.hessian_vector(self.constraint.image(x), self.constraint.times(v))
        return self.constraint.times(product, transposed=True)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """M^-1 H(M u + s)^-1 M'^-1 w: (B, n), (B, n) to (B, n)."""
        inner = self._legendre("inverse_hessian_vector")
        return self.constraint.divide(inner.inverse_hessian_vector(self.constraint.image(x), self._image(w)))

    def _image(self, y: Tensor) -> Tensor:
        """w = M'^-1 y, the mirror image of M u + s where y is that of u."""
        return self.constraint.divide(y, transposed=True)

    def _legendre(self, method: str) -> Legendre:
        require_support(self, Legendre, method)
        assert isinstance(self.map, Legendre)
        return self.map
