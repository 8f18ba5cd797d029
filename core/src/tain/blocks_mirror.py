"""The mirror map of a record with several rules: the blocks' maps side by side."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, final

import torch
from torch import Tensor, nn

from tain.blocks import Blocks
from tain.capabilities import Combined, require_support, same_component
from tain.configured import Configured, Field
from tain.errors import ConfigurationError, ShapeError
from tain.mirror_maps import Legendre, MirrorMap, Projective

__all__ = ["BlocksMirror"]


@final
class BlocksMirror(Combined, Legendre, Projective):
    """A mirror map for each block of columns; the mirror image is the blocks' images, one after the other.

    The potential is the sum of the blocks' potentials, phi(x) = phi_1(x_1) + ... + phi_K(x_K). So gradients, Hessians
    and the pairing go block by block, and conjugates and log-determinants add up.

    It is Legendre if all blocks' maps are, and Projective if all are: ask `tain.supports(mirror, tain.Legendre)`.

    Valid range: as each block's own.

    Args:
        blocks: the record's rules.
        mirrors: a map for each block, of that block's very rule, with vectors as mirror images.

    Raises:
        ConfigurationError: more or fewer maps than blocks, one of another rule, or without vectors.

    Example:
        >>> import tain
        >>> @tain.constraint("any", event_ndim=1)
        ... def anything(x):
        ...     return 0 * x.sum(-1)
        >>> class Twice(tain.MirrorMap):
        ...     def __init__(self, constraint: tain.Constraint):
        ...         super().__init__()
        ...         self.constraint = constraint
        ...     def forward(self, x):
        ...         return 2 * x
        ...     def inverse(self, y):
        ...         return y / 2
        >>> record = tain.Blocks((anything, anything), sizes=(2, 1))
        >>> mirror = tain.BlocksMirror(record, (Twice(anything), Twice(anything)))
        >>> mirror(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 4., 6.]])
    """

    constraint: Blocks

    def __init__(
        self,
        blocks: Annotated[Blocks, Field("the rule of each block of columns")],
        mirrors: Annotated[tuple[MirrorMap, ...], Field("the mirror map of each block, in their order")],
    ):
        super().__init__()
        if len(mirrors) != len(blocks.constraints):
            raise ConfigurationError(
                f"BlocksMirror: 'mirrors' has {len(mirrors)} entries, but must have one for each of the "
                f"{len(blocks.constraints)} blocks."
            )
        self.constraint = blocks
        self.mirrors = mirrors
        self.registered = nn.ModuleList(mirrors)
        self._mirror_sizes = [self._image_size(index) for index in range(len(mirrors))]

    def made_of(self) -> Mapping[str, Configured]:
        return {f"'mirrors'[{index}]": mirror for index, mirror in enumerate(self.mirrors)}

    def forward(self, x: Tensor) -> Tensor:
        """y = (forward_1(x_1), ..., forward_K(x_K)): (B, n) to (B, m).

        Raises:
            OutsideSetError: a block is outside of its set.
        """
        pairs = zip(self.mirrors, self.constraint.split(x), strict=True)
        return torch.cat([mirror.forward(part) for mirror, part in pairs], 1)

    def inverse(self, y: Tensor) -> Tensor:
        """x = (inverse_1(y_1), ..., inverse_K(y_K)): (B, m) to (B, n)."""
        pairs = zip(self.mirrors, self._split(y), strict=True)
        return torch.cat([mirror.inverse(part) for mirror, part in pairs], 1)

    def potential(self, x: Tensor) -> Tensor:
        """The sum of the blocks' potentials: (B, n) to (B,)."""
        return self._sum("potential", self.constraint.split(x))

    def conjugate(self, y: Tensor) -> Tensor:
        """The sum of the blocks' conjugates: (B, m) to (B,)."""
        return self._sum("conjugate", self._split(y))

    def log_det(self, x: Tensor) -> Tensor:
        """The sum of the blocks' log-determinants: (B, n) to (B,)."""
        return self._sum("log_det", self.constraint.split(x))

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """Block by block: (B, n), (B, n) to (B, m)."""
        return torch.cat(self._each("hessian_vector", self.constraint.split(x), self.constraint.split(v)), 1)

    def inverse_hessian_vector(self, x: Tensor, w: Tensor) -> Tensor:
        """Block by block: (B, n), (B, m) to (B, n)."""
        return torch.cat(self._each("inverse_hessian_vector", self.constraint.split(x), self._split(w)), 1)

    def pairing(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of the blocks' pairings: (B, n), (B, m) to (B,)."""
        return self._sum("pairing", self.constraint.split(x), self._split(y))

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (event_shape[0] + sum(self._mirror_sizes) - sum(self.constraint.sizes),)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (mirror_shape[0] - sum(self._mirror_sizes) + sum(self.constraint.sizes),)

    def _each(self, method: str, *arguments: tuple[Tensor, ...]) -> list[Tensor]:
        require_support(self, Legendre, method)
        functions: list[Callable[..., Any]] = [getattr(mirror, method) for mirror in self.mirrors]
        return [function(*parts) for function, *parts in zip(functions, *arguments, strict=True)]

    def _sum(self, method: str, *arguments: tuple[Tensor, ...]) -> Tensor:
        return torch.stack(self._each(method, *arguments)).sum(0)

    def _split(self, y: Tensor) -> tuple[Tensor, ...]:
        wanted = sum(self._mirror_sizes)
        if y.ndim != 2 or y.shape[1] != wanted:
            raise ShapeError(f"BlocksMirror: mirror images have shape {tuple(y.shape)}, but must have (B, {wanted}).")
        return y.split(self._mirror_sizes, 1)

    def _image_size(self, index: int) -> int:
        """Columns of one block's mirror image, once its map is known to fit."""
        mirror, rule = self.mirrors[index], self.constraint.constraints[index]
        if not same_component(mirror.constraint, rule):
            raise ConfigurationError(
                f"BlocksMirror: 'mirrors'[{index}] is a {type(mirror).__name__} of {mirror.constraint}, but block "
                f"{index} is {rule}. Give a map of that very rule, as tain.mirror_for does."
            )
        shape = mirror.mirror_shape((self.constraint.sizes[index],))
        if len(shape) != 1:
            raise ConfigurationError(
                f"BlocksMirror: 'mirrors'[{index}], {type(mirror).__name__}, has mirror images of shape {shape}, but "
                "must have vectors."
            )
        return shape[0]
