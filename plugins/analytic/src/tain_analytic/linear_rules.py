"""The polytope that a rule made of linear inequalities and equations describes."""

from typing import Any

import torch
from torch import Tensor

from tain import Both, Constraint, Preimage
from tain_analytic.affine import AffineSubspace
from tain_analytic.box import BoxSet
from tain_analytic.polytope import Polytope
from tain_analytic.simplex import Simplex
from tain_analytic.slabs import SlabSet

__all__ = ["polytope_of"]


def polytope_of(constraint: Constraint) -> Polytope | None:
    """The polytope that is the set of `constraint`, or None if that is not known to be linear.

    It knows polytopes, boxes, orthants, slabs, half spaces, simplices, affine subspaces, and all that `tain.Both` and
    `tain.Preimage` make of them.

    Raises:
        ConfigurationError: a set that `Polytope` refuses: empty, unbounded, without an inequality, or without interior
            among the solutions of its equations.

    Example:
        >>> import tain
        >>> from tain_analytic import AffineSubspace, Box, polytope_of
        >>> rule = tain.Both(Box((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), AffineSubspace([[1.0, 1.0, 1.0]], [1.0]))
        >>> polytope_of(rule).contains(torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2]]))
        tensor([ True, False])
    """
    found = _system(constraint)
    if found is None:
        return None
    (A, b), (C, d) = found
    return Polytope(A, b, *((C, d) if len(C) else ()))


System = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


def _system(constraint: Any) -> System | None:
    """A, b of A x <= b, and C, d of C x = d, in float64."""
    match constraint:
        case Both():
            one, other = _system(constraint.a), _system(constraint.b)
            if one is None or other is None:
                return None
            ((A, b), (C, d)), ((E, e), (F, f)) = one, other
            return (torch.cat([A, E]), torch.cat([b, e])), (torch.cat([C, F]), torch.cat([d, f]))
        case Preimage():
            inner = _system(constraint.constraint)
            if inner is None:
                return None
            M, s = constraint.matrix.double(), constraint.shift.double()
            (A, b), (C, d) = inner
            return (A @ M, b - A @ s), (C @ M, d - C @ s)
        case Polytope():
            return (constraint.matrix, constraint.bounds), (constraint.equality_matrix, constraint.equality_offset)
        case BoxSet():
            return _between(torch.eye(len(constraint.lower)).double(), constraint), _nothing(len(constraint.lower))
        case SlabSet():
            return _between(constraint.directions, constraint.bounds), _nothing(constraint.event_shape[0])
        case Simplex():
            (n,) = constraint.event_shape
            return (-torch.eye(n).double(), torch.zeros(n).double()), (
                torch.ones(1, n).double(),
                torch.ones(1).double(),
            )
        case AffineSubspace():
            return _nothing(constraint.event_shape[0]), (constraint.matrix, constraint.offset)
    return None


def _between(rows: Tensor, box: BoxSet) -> tuple[Tensor, Tensor]:
    """lower <= rows x <= upper, those of the bounds that are finite."""
    above, below = torch.isfinite(box.upper), torch.isfinite(box.lower)
    return torch.cat([rows[above], -rows[below]]), torch.cat([box.upper[above], -box.lower[below]])


def _nothing(size: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(0, size).double(), torch.zeros(0).double()
