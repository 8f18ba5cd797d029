"""What a polytope needs to know before its first use: its affine hull, a point inside, and its extent.

Everything here runs once, at construction, in float64. scipy, which solves the linear programs, is imported then.
"""

from typing import Any

import attrs
import torch
from torch import Tensor

from tain import ConfigurationError

__all__ = ["Extent", "Hull", "Matrix", "Vector", "affine_hull", "extent", "precision_of", "reduced_rows", "system"]

Matrix = tuple[tuple[float, ...], ...] | Tensor
Vector = tuple[float, ...] | Tensor

FLAT = 1e-9  # the least radius of a ball inside, relative to the largest offset: below it, linear programs see none


@attrs.frozen
class Hull:
    """The solutions of C x = d: {origin + basis z}.

    Attributes:
        basis: N, orthonormal columns, shape (n, f): f is the number of coordinates left free.
        origin: the solution nearest to 0, shape (n,).
        equations: Q, orthonormal rows with the same solutions, shape (n - f, n).
    """

    basis: Tensor
    origin: Tensor
    equations: Tensor


@attrs.frozen
class Extent:
    """Where a polytope lies: the centre (f,) and radius of a largest ball inside, and the size of its points."""

    center: Tensor
    radius: float
    scale: float


def precision_of(values: Matrix | None) -> float:
    """The rounding error of the numbers that a matrix was given in."""
    if isinstance(values, Tensor) and values.is_floating_point():
        return torch.finfo(values.dtype).eps
    return torch.finfo(torch.float64).eps


def system(matrix_name: str, matrix: Matrix, vector_name: str, vector: Vector) -> tuple[Tensor, Tensor]:
    """A matrix and its right side in float64.

    Raises:
        ConfigurationError: rows of different length, differently many right sides, or a number that is not finite.
    """
    if not isinstance(matrix, Tensor):
        for index, row in enumerate(matrix):
            if len(row) != len(matrix[0]):
                raise ConfigurationError(
                    f"Polytope: '{matrix_name}'[{index}] has {len(row)} entries, but '{matrix_name}'[0] has "
                    f"{len(matrix[0])}."
                )
    A, b = (torch.as_tensor(v, dtype=torch.float64).detach().cpu() for v in (matrix, vector))
    if A.ndim != 2 or A.numel() == 0:
        raise ConfigurationError(f"Polytope: '{matrix_name}' has shape {tuple(A.shape)}, but must be 2-D, not empty.")
    if b.shape != A.shape[:1]:
        raise ConfigurationError(
            f"Polytope: '{vector_name}' has shape {tuple(b.shape)}, but must have one entry for each of the {len(A)} "
            f"rows of '{matrix_name}'."
        )
    for name, values in ((matrix_name, A), (vector_name, b)):
        for place in (~torch.isfinite(values)).nonzero().tolist():
            raise ConfigurationError(f"Polytope: '{name}'{place} is {float(values[tuple(place)])}, not finite.")
    return A, b


def affine_hull(C: Tensor, d: Tensor, precision: float) -> Hull:
    """The hull of the equations, by singular values. Those that follow from the others are allowed.

    Raises:
        ConfigurationError: they contradict each other, or leave at most one point.
    """
    n = C.shape[1]
    length = C.norm(dim=1)
    length = torch.where(length > 0, length, 1)  # a row of zeros is the equation 0 = d
    unit, offset = C / length[:, None], d / length
    if not len(C):
        return Hull(torch.eye(n, dtype=C.dtype), torch.zeros(n, dtype=C.dtype), C)
    U, sizes, Q = torch.linalg.svd(unit, full_matrices=True)
    rank = int((sizes > max(C.shape) * precision * sizes[0].clamp(min=1e-300)).sum())
    origin = Q[:rank].mT @ (offset @ U[:, :rank] / sizes[:rank])
    left = (unit @ origin - offset).abs()
    limit = 8 * max(C.shape) * precision * float(origin.norm() + offset.norm())
    if bool((left > limit).any()):
        row = int(left.argmax())
        raise ConfigurationError(
            f"Polytope: the equations contradict each other: the point that fits best breaks row {row} of "
            f"'equality_matrix', with 'equality_offset'[{row}] {float(d[row]):.6g}, by {float(left[row]):.3g} times "
            f"the row's length (limit {limit:.3g})."
        )
    if rank == n:
        raise ConfigurationError(
            f"Polytope: 'equality_matrix' has {rank} independent rows for {n} unknowns, so leaves only one point. "
            "Leave out equations."
        )
    return Hull(Q[rank:].mT.contiguous(), origin, Q[:rank])


def reduced_rows(A: Tensor, b: Tensor, hull: Hull, precision: float) -> tuple[Tensor, Tensor, Tensor]:
    """A x <= b as G z <= h within the hull, with rows of unit length: G (m', f), h (m',), and their places in A (m',).

    Rows that hold throughout the hull are left out, and of parallel rows all but the tightest.

    Raises:
        ConfigurationError: a row that holds nowhere in the hull.
    """
    G, h = A @ hull.basis, b - A @ hull.origin
    given, length = A.norm(dim=1), G.norm(dim=1)
    rounding = 8 * A.shape[1] * precision
    constant = length <= rounding * given
    for row in (constant & (h < -rounding * (b.abs() + given * hull.origin.norm()))).nonzero().flatten().tolist():
        fixed = float(A[row] @ hull.origin)
        raise ConfigurationError(
            f"Polytope: the set is empty: 'matrix'[{row}] x is {fixed:.6g} wherever the equations hold, but must be at "
            f"most 'bounds'[{row}], {float(b[row]):.6g}."
        )
    G, h = G / length[:, None], h / length
    kept: list[int] = []
    for row in h.argsort().tolist():  # the tightest first
        if not constant[row] and not bool(((G[kept] - G[row]).abs().amax(1) <= rounding).any()):
            kept.append(row)
    places = torch.tensor(sorted(kept), dtype=torch.long)
    return G[places], h[places], places


def extent(G: Tensor, h: Tensor, places: Tensor, hull: Hull) -> Extent:
    """The Chebyshev centre of {G z <= h}, and a bound on the length of its points, by 2 n + 1 linear programs.

    Raises:
        ConfigurationError: the set is empty, has no interior within the hull, or is unbounded.
    """
    size = float(h.abs().max()) if len(h) and float(h.abs().max()) > 0 else 1.0
    ball = torch.cat([G, torch.ones(len(G), 1, dtype=G.dtype)], 1)  # g z + r <= h: a ball of radius r fits
    cost = [0.0] * G.shape[1] + [-1.0]
    found = _program(cost, ball, h / size, [(None, None)] * G.shape[1] + [(None, 2.0)])
    if found.status != 0:
        raise ConfigurationError(f"Polytope: no point inside could be computed: {found.message}")
    center, radius = torch.tensor(found.x[:-1], dtype=torch.float64), float(found.x[-1])
    if radius <= FLAT:
        active = [int(places[i]) for i, force in enumerate(found.ineqlin.marginals) if force < -1e-9]
        rows = ", ".join(map(str, active[:10])) + (", ..." if len(active) > 10 else "")
        if radius < -FLAT:
            raise ConfigurationError(
                f"Polytope: the set is empty: every point breaks one of the rows {rows} of 'matrix' by "
                f"{-radius * size:.3g} or more, in lengths of the row. Raise their 'bounds'."
            )
        raise ConfigurationError(
            f"Polytope: the set has no interior: the rows {rows} of 'matrix' together hold only with equality (a ball "
            f"inside has radius {radius * size:.3g}, limit {FLAT * size:.3g}). Give them as 'equality_matrix' and "
            "'equality_offset'."
        )
    corner = torch.zeros(len(hull.origin), dtype=torch.float64)
    free = [(None, None)] * G.shape[1]
    for entry, along in enumerate(hull.basis):
        for sign in (-1.0, 1.0):
            found = _program((sign * along).tolist(), G, h / size, free)
            if found.status != 0:
                raise _unbounded(entry, -sign * along, G, hull, found.message)
            value = abs(float(hull.origin[entry]) + sign * found.fun * size)
            corner[entry] = max(float(corner[entry]), value)
    return Extent(center * size, radius * size, float(corner.norm()))


def _unbounded(entry: int, along: Tensor, G: Tensor, hull: Hull, message: str) -> ConfigurationError:
    found = _program((-along).tolist(), G, torch.zeros(len(G), dtype=G.dtype), [(-1.0, 1.0)] * G.shape[1])
    if found.status != 0 or -found.fun < 1e-9:
        return ConfigurationError(f"Polytope: the extent of the set could not be computed: {message}")
    step = hull.basis @ torch.tensor(found.x, dtype=torch.float64)
    step = step / step.abs().max()
    direction = ", ".join(f"{float(v):.3g}" for v in step[:10]) + (", ..." if len(step) > 10 else "")
    return ConfigurationError(
        f"Polytope: the set is unbounded: entry {entry} of x has no limit along the direction ({direction}). Add rows "
        "to 'matrix' that bound it; the log barrier of an unbounded set does not reach every mirror image."
    )


def _program(cost: Any, rows: Tensor, limits: Tensor, bounds: Any) -> Any:
    from scipy.optimize import linprog  # only here, since it takes a second to import

    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    return linprog(cost, rows.numpy(), limits.numpy(), bounds=bounds, method="highs", options=options)
