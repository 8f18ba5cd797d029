"""Two rules at once: the intersection of their sets."""

from collections.abc import Mapping
from typing import Annotated, final

import torch
from torch import Tensor

from tain.capabilities import Combined, require_support
from tain.configured import Configured, Field
from tain.constraints import Constraint, Residual
from tain.errors import ConfigurationError

__all__ = ["Both"]


@final
class Both(Combined, Residual):
    """Samples that keep two rules, a and b. More than two: Both(a, Both(b, c)).

    The distance is the larger of both rules', and so 0 exactly on the intersection. If theirs are Euclidean, it is a
    lower bound of the Euclidean distance to the intersection, which may be larger: where two lines meet at a small
    angle, points near to both are far from the corner. Nor is there a projection: projecting onto one set and then the
    other, even forever, ends in the intersection, but not at its nearest point.

    Args:
        a: a rule.
        b: another, of samples of the same shape.

    Raises:
        ConfigurationError: the rules are of samples of different shape.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> @tain.constraint("not-negative", event_ndim=1)
        ... def not_negative(x):
        ...     return (-x).relu().sum(-1)
        >>> shares = tain.Both(sum_one, not_negative)
        >>> shares.contains(torch.tensor([[0.5, 0.5], [1.5, -0.5], [0.5, 0.25]]))
        tensor([ True, False, False])
    """

    def __init__(
        self,
        a: Annotated[Constraint, Field("one rule")],
        b: Annotated[Constraint, Field("the other rule")],
    ):
        super().__init__()
        shapes = {rule.event_shape for rule in (a, b)} - {None}
        if a.event_ndim != b.event_ndim or len(shapes) > 1:
            raise ConfigurationError(
                f"Both: 'a', {type(a).__name__}, is a rule of {_samples(a)}, but 'b', {type(b).__name__}, of "
                f"{_samples(b)}. Give rules of the same samples."
            )
        self.a, self.b = a, b
        self.event_ndim = a.event_ndim
        self.event_shape = next(iter(shapes), None)
        self.scale = max(a.scale, b.scale)

    def made_of(self) -> Mapping[str, Configured]:
        return {"'a'": self.a, "'b'": self.b}

    def distance(self, x: Tensor) -> Tensor:
        """The larger of both distances: (B, *S) to (B,)."""
        return torch.maximum(self.a.distance(x), self.b.distance(x))

    def tolerance(self, dtype: torch.dtype) -> float:
        """The larger of both tolerances."""
        return max(self.a.tolerance(dtype), self.b.tolerance(dtype))

    def residual(self, x: Tensor) -> Tensor:
        """The equations of both: (B, *S) to (B, K_a + K_b)."""
        require_support(self, Residual, "residual")
        return torch.cat([rule.residual(x) for rule in (self.a, self.b) if isinstance(rule, Residual)], 1)

    def __repr__(self) -> str:
        return f"Both({self.a!r}, {self.b!r})"


def _samples(rule: Constraint) -> str:
    return f"{rule.event_ndim} dimensions" if rule.event_shape is None else f"shape {rule.event_shape}"
