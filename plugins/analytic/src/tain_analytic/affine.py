"""Linear equations, A x = b, and the Euclidean projection onto them."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Projectable, Residual, Retractable
from tain.randomness import generator, standard_normal
from tain_analytic.numerics import like, norm, require_margin, settled, times

__all__ = ["AffineSubspace"]

Matrix = tuple[tuple[float, ...], ...] | Tensor
Vector = tuple[float, ...] | Tensor


@final
class AffineSubspace(Projectable, Residual, Interior, Retractable):
    """The solutions of K linear equations in n unknowns: {x : A x = b}. Samples have shape (B, n).

    Equations that follow from the others are allowed, and so are so many that one point is left. The tolerance is that
    of numbers as large as the solution nearest to the origin, or 1 if that is the origin.

    Args:
        matrix: A, K rows of n numbers, or a tensor (K, n). Lists are taken in float64, tensors as they are.
        offset: b, K numbers, or a tensor (K,).

    Raises:
        ConfigurationError: no equation or only zeros, rows of different length, differently many rows and offsets, a
            number that is not finite, or equations that contradict each other.

    Example:
        >>> import torch
        >>> from tain_analytic import AffineSubspace
        >>> balanced = AffineSubspace(matrix=[[1.0, 1.0, -1.0]], offset=[0.0])  # income = expenses + savings
        >>> balanced.project(torch.tensor([[1.0, 2.0, 6.0]]))
        tensor([[2., 3., 5.]])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Rows are moved to the nearest solution of the equations; there is no boundary to keep away from."

    def __init__(
        self,
        matrix: Annotated[Matrix, Field("A: one row of coefficients for each equation")],
        offset: Annotated[Vector, Field("b: the right side of each equation")],
    ):
        super().__init__()
        self.matrix, self.offset, precision = _checked(matrix, offset)
        self._basis, self._position = _orthonormal(self.matrix, self.offset, precision)
        self.event_shape = (self.matrix.shape[1],)
        self.scale = float((self._position @ self._basis).norm()) or 1.0

    def distance(self, x: Tensor) -> Tensor:
        """The Euclidean distance to the nearest solution, less what rounding of x accounts for: (B, n) to (B,).

        Rounding to float32 alone can move a vector of size 1e4 off a plane by 6e-4. So 4 rounding errors of |x| count
        as no distance, and a solution is in the set whatever its size and dtype.
        """
        rounding = 4 * torch.finfo(x.dtype).eps * norm(x)
        return (norm(self._along(x)) - rounding).relu()[:, 0]

    def project(self, x: Tensor) -> Tensor:
        """The nearest solution: x - Q' (Q x - p), with the equations' orthonormal form Q x = p."""
        return settled(self._step, self.distance, x, self.tolerance(x.dtype) / 2)

    def residual(self, x: Tensor) -> Tensor:
        """A x - b, the equations as they were given: (B, n) to (B, K)."""
        return times(x, self.matrix) - like(self.offset, x)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Standard normal points, projected: a standard normal distribution around the solution nearest to 0."""
        example = torch.empty((), dtype=dtype or torch.get_default_dtype())
        return self.project(standard_normal((n, *self.event_shape), generator(rng), example))

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """The nearest solution; `margin` has no effect, since there is no boundary."""
        require_margin("AffineSubspace.retract", margin, torch.inf)
        return self.project(x)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """No entry is, since there is no boundary: (B, n) booleans."""
        return torch.zeros_like(x, dtype=torch.bool)

    def _step(self, x: Tensor) -> Tensor:
        return x - times(self._along(x), self._basis.mT)

    def _along(self, x: Tensor) -> Tensor:
        """Q x - p: (B, n) to (B, rank)."""
        return times(x, self._basis) - like(self._position, x)


def _checked(matrix: Matrix, offset: Vector) -> tuple[Tensor, Tensor, float]:
    """A and b in float64, and the rounding error of the numbers that they were given in."""
    if not isinstance(matrix, Tensor):
        for index, row in enumerate(matrix):
            if len(row) != len(matrix[0]):
                raise ConfigurationError(
                    f"AffineSubspace: 'matrix'[{index}] has {len(row)} entries, but 'matrix'[0] has {len(matrix[0])}."
                )
    coarse = [v.dtype for v in (matrix, offset) if isinstance(v, Tensor) and v.is_floating_point()]
    precision = max(torch.finfo(dtype).eps for dtype in (torch.float64, *coarse))
    A, b = (torch.as_tensor(v).detach().to("cpu", torch.float64, copy=True) for v in (matrix, offset))
    if A.ndim != 2 or A.numel() == 0:
        raise ConfigurationError(f"AffineSubspace: 'matrix' has shape {tuple(A.shape)}, but must be (K, n), not empty.")
    if b.shape != A.shape[:1]:
        raise ConfigurationError(
            f"AffineSubspace: 'offset' has shape {tuple(b.shape)}, but must have one entry for each of the {len(A)} "
            "rows of 'matrix'."
        )
    for name, values in (("matrix", A), ("offset", b)):
        for place in (~torch.isfinite(values)).nonzero().tolist():
            raise ConfigurationError(f"AffineSubspace: '{name}'{place} is {float(values[tuple(place)])}, not finite.")
    return A, b, precision


def _orthonormal(A: Tensor, b: Tensor, precision: float) -> tuple[Tensor, Tensor]:
    """Equivalent equations Q x = p with orthonormal rows: Q (rank, n) and p (rank,), by singular values."""
    length = A.norm(dim=1)
    length = torch.where(length > 0, length, 1)  # a row of zeros is the equation 0 = b
    A, b = A / length[:, None], b / length
    U, sizes, Q = torch.linalg.svd(A, full_matrices=False)
    rank = int((sizes > max(A.shape) * precision * sizes[0]).sum())
    U, sizes, Q = U[:, :rank], sizes[:rank], Q[:rank]
    p = (b @ U) / sizes
    left = ((Q.mT @ p) @ A.mT - b).abs() * length
    limit = 8 * max(A.shape) * precision * (p.norm() + b.norm()) * length
    if bool((left > limit).any()):
        row = int((left / length).argmax())
        raise ConfigurationError(
            f"AffineSubspace: the equations contradict each other: the point that fits best breaks row {row} of "
            f"'matrix', with 'offset'[{row}] {float(b[row] * length[row]):.6g}, by {float(left[row]):.3g} "
            f"(limit {float(limit[row]):.3g})."
        )
    if rank == 0:
        raise ConfigurationError("AffineSubspace: 'matrix' holds nothing but zeros. For no rule, use Unconstrained.")
    return Q, p
