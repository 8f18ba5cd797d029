"""A set seen through a linear change of variables: {u : M u + s in the set}."""

from collections.abc import Mapping
from typing import Annotated, final

import torch
from torch import Tensor

from tain.capabilities import Combined, require_support
from tain.configured import Configured, Field
from tain.constraints import Constraint, Interior, Residual
from tain.errors import ConfigurationError

__all__ = ["LARGEST_CONDITION", "Matrix", "Preimage", "Vector"]

Matrix = tuple[tuple[float, ...], ...] | Tensor
Vector = tuple[float, ...] | Tensor

LARGEST_CONDITION = 1e6
"""Of the matrix: beyond it, float32 keeps no digit of a sample that goes through it and back."""


@final
class Preimage(Combined, Residual, Interior):
    """The samples u, (B, n), for which x = M u + s keeps a rule. M is square and invertible.

    The distance is that of x to the rule's set. No projection is passed on: M does not keep what is nearest.

    Args:
        constraint: a rule of vectors x, (B, n).
        matrix: M, n rows of n numbers, or a tensor (n, n). Its condition number is at most 1e6.
        shift: s, n numbers; zero if not given.

    Raises:
        ConfigurationError: a rule that is not of n columns, a matrix that is not square, finite and invertible, with
            its condition number, or a shift of another length.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("not-negative", event_ndim=1)
        ... def not_negative(x):
        ...     return (-x).relu().sum(-1)
        >>> above = tain.Preimage(not_negative, matrix=[[1.0, 0.0], [-1.0, 1.0]])  # 0 <= u_1 <= u_2
        >>> above.contains(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        tensor([ True, False])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]

    def __init__(
        self,
        constraint: Annotated[Constraint, Field("the rule of M u + s")],
        matrix: Annotated[Matrix, Field("M: n rows of n numbers")],
        shift: Annotated[Vector | None, Field("s: n numbers, by default zero")] = None,
    ):
        super().__init__()
        self.constraint = constraint
        self.matrix, self.shift, self.condition = _checked(constraint, matrix, shift)
        self.log_det = float(torch.linalg.slogdet(self.matrix).logabsdet)
        self._largest = float(self.matrix.abs().sum(1).max()), float(self.shift.abs().max())
        self.event_shape = (len(self.shift),)
        self.scale = (constraint.scale + float(self.shift.norm())) / float(torch.linalg.svdvals(self.matrix)[-1])

    def made_of(self) -> Mapping[str, Configured]:
        return {"'constraint'": self.constraint}

    def image(self, u: Tensor) -> Tensor:
        """x = M u + s: (B, n) to (B, n)."""
        return self.times(u) + _like(self.shift, u)

    def of_image(self, x: Tensor) -> Tensor:
        """u = M^-1 (x - s): (B, n) to (B, n)."""
        return self.divide(x - _like(self.shift, x))

    def times(self, v: Tensor, *, transposed: bool = False) -> Tensor:
        """M v, or M' v: (B, n) to (B, n)."""
        matrix = self.matrix.mT if transposed else self.matrix
        with torch.autocast(v.device.type, enabled=False):  # which would round the product to bfloat16
            return v @ _like(matrix, v).mT

    def divide(self, v: Tensor, *, transposed: bool = False) -> Tensor:
        """M^-1 v, or M'^-1 v: (B, n) to (B, n). Solved, not multiplied by an inverse: M of it is v to rounding."""
        matrix = self.matrix.mT if transposed else self.matrix
        return torch.linalg.solve(_like(matrix, v).mT, v, left=False)

    def distance(self, u: Tensor) -> Tensor:
        """The distance of M u + s to the rule's set, less what rounding of u accounts for: (B, n) to (B,).

        That is 8 rounding errors of |M| |u| + |s|, in largest entries: u cannot be told from one that much nearer.
        """
        rows, shift = self._largest
        size = rows * u.abs().amax(1) + shift
        return (self.constraint.distance(self.image(u)) - 8 * torch.finfo(u.dtype).eps * size).relu()

    def tolerance(self, dtype: torch.dtype) -> float:
        """That of the rule."""
        return self.constraint.tolerance(dtype)

    def residual(self, u: Tensor) -> Tensor:
        """The rule's equations at M u + s: (B, n) to (B, K)."""
        require_support(self, Residual, "residual")
        assert isinstance(self.constraint, Residual)
        return self.constraint.residual(self.image(u))

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points of the rule's interior, carried back."""
        require_support(self, Interior, "interior")
        assert isinstance(self.constraint, Interior)
        return self.of_image(self.constraint.interior(n, rng=rng, dtype=dtype))

    def __repr__(self) -> str:
        return f"Preimage({self.extra_repr()})"


def _like(constant: Tensor, x: Tensor) -> Tensor:
    """A float64 constant with the dtype and device of x; as a buffer, it would lose digits for good in `.float()`."""
    return constant.to(x.dtype).to(x.device)


def _checked(constraint: Constraint, matrix: Matrix, shift: Vector | None) -> tuple[Tensor, Tensor, float]:
    """M and s in float64, and the condition number of M."""
    if not isinstance(matrix, Tensor) and any(len(row) != len(matrix) for row in matrix):
        rows = ", ".join(str(len(row)) for row in matrix)
        raise ConfigurationError(f"Preimage: 'matrix' has {len(matrix)} rows of {rows} numbers, but must be square.")
    M = torch.as_tensor(matrix, dtype=torch.float64).detach().cpu()
    if M.ndim != 2 or M.shape[0] != M.shape[1] or M.numel() == 0:
        raise ConfigurationError(f"Preimage: 'matrix' has shape {tuple(M.shape)}, but must be (n, n), not empty.")
    n = len(M)
    s = torch.zeros(n) if shift is None else torch.as_tensor(shift, dtype=torch.float64)
    s = s.detach().cpu().double()
    if s.shape != (n,):
        raise ConfigurationError(f"Preimage: 'shift' has shape {tuple(s.shape)}, but must be ({n},), as 'matrix' is.")
    for name, values in (("matrix", M), ("shift", s)):
        for place in (~torch.isfinite(values)).nonzero().tolist():
            raise ConfigurationError(f"Preimage: '{name}'{place} is {float(values[tuple(place)])}, not finite.")
    if constraint.event_ndim != 1 or constraint.event_shape not in (None, (n,)):
        raise ConfigurationError(
            f"Preimage: 'matrix' has {n} rows, but 'constraint', {constraint}, is a rule of samples of "
            f"shape {constraint.event_shape or f'{constraint.event_ndim} dimensions'}."
        )
    condition = float(torch.linalg.cond(M))
    if not condition <= LARGEST_CONDITION:
        fault = "has" if condition < 1e15 else "is singular, with"  # zeros alone have the condition number NaN
        raise ConfigurationError(
            f"Preimage: 'matrix' {fault} the condition number {condition:.3g}, but it must be at most "
            f"{LARGEST_CONDITION:g}, or float32 would keep nothing of a sample. Leave out "
            "columns that depend on others, or rescale them."
        )
    return M, s, condition
