"""Two mirror maps, one after the other."""

from collections.abc import Mapping
from typing import Annotated, final

from torch import Tensor

from tain.capabilities import Combined, require_support
from tain.configured import Configured, Field
from tain.errors import ConfigurationError
from tain.mirror_maps import Bijective, MirrorMap

__all__ = ["Chain"]


@final
class Chain(Combined, Bijective):
    """z = second(first(x)): the second map works in the mirror space of the first, as to standardise it.

    Its samples keep the rule of `first`, whatever `second` returns. The rule of `second` is one on the mirror images of
    `first`; where that is smaller than the whole space, so is the part of the set that samples reach.

    It is a bijection if both are, so that `Mirrored` has a density. It is no gradient of a potential, even if both
    are: the product of two symmetric Jacobians need not be symmetric.

    Args:
        first: a map of the rule that samples shall keep.
        second: a map of the mirror space of `first`.

    Raises:
        ConfigurationError: the second takes samples of another shape than the mirror images of the first.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("any", event_ndim=1)
        ... def anything(x):
        ...     return 0 * x.sum(-1)
        >>> class Times(tain.Bijective):
        ...     def __init__(self, factor: float):
        ...         super().__init__()
        ...         self.constraint, self.factor = anything, factor
        ...     def forward(self, x):
        ...         return self.factor * x
        ...     def inverse(self, y):
        ...         return y / self.factor
        ...     def log_det(self, x):
        ...         return torch.full_like(x[:, 0], self.factor).log() * x.shape[1]
        >>> tain.Chain(Times(2.0), Times(5.0)).forward(torch.tensor([[1.0, 2.0]]))
        tensor([[10., 20.]])
    """

    def __init__(
        self,
        first: Annotated[MirrorMap, Field("a map of the rule that samples shall keep")],
        second: Annotated[MirrorMap, Field("a map of the mirror space of the first")],
    ):
        super().__init__()
        shape, rule = first.constraint.event_shape, second.constraint
        image = None if shape is None else first.mirror_shape(shape)
        fits = image is None or (len(image) == rule.event_ndim and rule.event_shape in (None, image))
        if not fits:
            wanted = f"{rule.event_ndim} dimensions" if rule.event_shape is None else f"shape {rule.event_shape}"
            raise ConfigurationError(
                f"Chain: 'first', {type(first).__name__}, has mirror images of shape {image}, but 'second', "
                f"{type(second).__name__}, takes samples of {wanted}. Give a second map of the first's mirror space."
            )
        self.first, self.second = first, second
        self.constraint = first.constraint

    def made_of(self) -> Mapping[str, Configured]:
        return {"'first'": self.first, "'second'": self.second}

    def forward(self, x: Tensor) -> Tensor:
        """z = second(first(x)): (B, *S) to (B, *T).

        Raises:
            OutsideSetError: a sample is outside of the first's set, or its image outside of the second's.
        """
        return self.second.forward(self.first.forward(x))

    def inverse(self, y: Tensor) -> Tensor:
        """x = first^-1(second^-1(z)): (B, *T) to (B, *S)."""
        return self.first.inverse(self.second.inverse(y))

    def log_det(self, x: Tensor) -> Tensor:
        """The first's at x, plus the second's at first(x): (B, *S) to (B,)."""
        require_support(self, Bijective, "log_det")
        assert isinstance(self.first, Bijective)
        assert isinstance(self.second, Bijective)
        return self.first.log_det(x) + self.second.log_det(self.first.forward(x))

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.second.mirror_shape(self.first.mirror_shape(event_shape))

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.first.primal_shape(self.second.primal_shape(mirror_shape))
