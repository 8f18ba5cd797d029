"""A record with several rules: one for each block of columns."""

from collections.abc import Mapping, Sequence
from typing import Annotated, final

import torch
from torch import Tensor, nn

from tain.capabilities import Combined, require_support
from tain.configured import Configured, Field
from tain.constraints import Constraint, Interior, Projectable, Residual, Retractable
from tain.errors import ConfigurationError
from tain.randomness import generator

__all__ = ["Blocks"]


@final
class Blocks(Combined, Projectable, Residual, Interior, Retractable):
    """Vectors whose consecutive blocks of columns each keep a rule of their own: the product of the blocks' sets.

    All that the blocks can do is done block by block, and exactly: the nearest point of a product is the product of the
    nearest points. What a block cannot do, the whole cannot: ask `tain.supports(blocks, tain.Projectable)`.

    Args:
        constraints: the rule of each block, in the order of the columns. Each is a rule of vectors.
        sizes: number of columns of each block. May be left out if every rule fixes its own.

    Raises:
        ConfigurationError: no block, a rule that is not of vectors, a size that is missing or not that of the rule.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> @tain.constraint("not-negative", event_ndim=1)
        ... def not_negative(x):
        ...     return (-x).relu().sum(-1)
        >>> record = tain.Blocks((sum_one, not_negative), sizes=(2, 1))
        >>> record.distance(torch.tensor([[0.5, 0.5, 3.0], [0.5, 0.25, -1.0]]))
        tensor([0.0000, 1.2500])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]

    def __init__(
        self,
        constraints: Annotated[tuple[Constraint, ...], Field("the rule of each block of columns, in their order")],
        sizes: Annotated[
            tuple[int, ...] | None,
            Field("columns of each block; may be left out if every rule fixes its own", at_least=1),
        ] = None,
    ):
        super().__init__()
        self.constraints = constraints
        self.sizes = _checked(constraints, sizes)
        self.registered = nn.ModuleList(constraints)  # so that they move to a device with the whole
        self.event_shape = (sum(self.sizes),)
        self.scale = max(constraint.scale for constraint in constraints)
        self.retraction = " ".join(
            f"Columns {sum(self.sizes[:index]) + 1} to {sum(self.sizes[: index + 1])}: {rule.retraction}"
            for index, rule in enumerate(constraints)
            if isinstance(rule, Retractable)
        )

    def made_of(self) -> Mapping[str, Configured]:
        return {f"'constraints'[{index}]": rule for index, rule in enumerate(self.constraints)}

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """The columns of each block: (B, n) to one (B, n_i) for each."""
        self.require_shape(x)
        return x.split(self.sizes, 1)

    def distances(self, x: Tensor) -> Tensor:
        """The distance of each block to its own set: (B, n) to (B, number of blocks)."""
        pairs = zip(self.constraints, self.split(x), strict=True)
        return torch.stack([rule.distance(part) for rule, part in pairs], 1)

    def distance(self, x: Tensor) -> Tensor:
        """The sum of the blocks' distances: (B, n) to (B,)."""
        return self.distances(x).sum(1)

    def tolerance(self, dtype: torch.dtype) -> float:
        """The sum of the blocks' tolerances. So one block may be off by more than its own; `distances` tells."""
        return sum(rule.tolerance(dtype) for rule in self.constraints)

    # In the lines below, isinstance tells type checkers what require_support has made sure of; it leaves no block out.

    def project(self, x: Tensor) -> Tensor:
        """The nearest point, block by block: (B, n) to (B, n)."""
        require_support(self, Projectable, "project")
        pairs = zip(self.constraints, self.split(x), strict=True)
        return torch.cat([rule.project(part) for rule, part in pairs if isinstance(rule, Projectable)], 1)

    def residual(self, x: Tensor) -> Tensor:
        """The equations of all blocks: (B, n) to (B, sum of K_i)."""
        require_support(self, Residual, "residual")
        pairs = zip(self.constraints, self.split(x), strict=True)
        return torch.cat([rule.residual(part) for rule, part in pairs if isinstance(rule, Residual)], 1)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points of the blocks' interiors, drawn independently, (n, sum of n_i)."""
        require_support(self, Interior, "interior")
        rng = generator(rng)
        parts = [rule.interior(n, rng=rng, dtype=dtype) for rule in self.constraints if isinstance(rule, Interior)]
        return torch.cat(parts, 1)

    def retract(self, x: Tensor, margin: float | Sequence[float] = 0.0) -> Tensor:
        """Each block's own retraction: (B, n) to (B, n). `margin` is one number, or one for each block."""
        require_support(self, Retractable, "retract")
        pairs = zip(self.constraints, self.split(x), self.each(margin, "retract: 'margin'"), strict=True)
        return torch.cat([rule.retract(part, m) for rule, part, m in pairs if isinstance(rule, Retractable)], 1)

    def near_boundary(self, x: Tensor, margin: float | Sequence[float]) -> Tensor:
        """Each block's own entries near its boundary: booleans, (B, n). `margin` as for `retract`."""
        require_support(self, Retractable, "near_boundary")
        pairs = zip(self.constraints, self.split(x), self.each(margin, "near_boundary: 'margin'"), strict=True)
        return torch.cat([rule.near_boundary(part, m) for rule, part, m in pairs if isinstance(rule, Retractable)], 1)

    def each(self, value: float | Sequence[float], name: str) -> tuple[float, ...]:
        """One number for each block, from one for all, or from as many as there are blocks.

        Raises:
            ConfigurationError: there are fewer or more.
        """
        values = tuple(value) if isinstance(value, Sequence) else (value,) * len(self.constraints)
        if len(values) != len(self.constraints):
            raise ConfigurationError(
                f"Blocks.{name} has {len(values)} entries, but must be one number, or one for each of the "
                f"{len(self.constraints)} blocks."
            )
        return values

    def __repr__(self) -> str:
        return f"Blocks({', '.join(map(repr, self.constraints))})"


def _checked(constraints: tuple[Constraint, ...], sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    if not constraints:
        raise ConfigurationError("Blocks: 'constraints' is empty, but must have a rule for each block of columns.")
    if sizes is not None and len(sizes) != len(constraints):
        raise ConfigurationError(
            f"Blocks: 'sizes' has {len(sizes)} entries, but must have one for each of the {len(constraints)} rules."
        )
    found = []
    for index, rule in enumerate(constraints):
        name = f"'constraints'[{index}], {type(rule).__name__},"
        if rule.event_ndim != 1:
            raise ConfigurationError(f"Blocks: {name} is a rule of {rule.event_ndim} dimensions, but must be of 1.")
        own = None if rule.event_shape is None else rule.event_shape[0]
        if sizes is None and own is None:
            raise ConfigurationError(f"Blocks: {name} fits any number of columns. Give 'sizes', for all blocks.")
        if sizes is not None and own not in (None, sizes[index]):
            raise ConfigurationError(f"Blocks: 'sizes'[{index}] is {sizes[index]}, but {name} has {own} columns.")
        found.append(sizes[index] if sizes is not None else own)
    return tuple(size for size in found if size is not None)
