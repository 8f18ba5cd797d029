"""The symmetric matrices E' diag(1/q) E of one matrix E and many weights, solved however far the weights are apart."""

import torch
from torch import Tensor

__all__ = ["Weighted", "log_det", "rows_at_once", "solve_linear"]

HARD = 1e-8  # the least share of a diagonal entry that may be left over in a Cholesky factorisation


class Weighted:
    """The matrices E' diag(1 / q) E of a batch of weights q, factorised. Differentiable in q.

    Near a facet, one weight is huge and the others are not. What the matrix says of the directions along the facet is
    then lost in rounding. Such rows of the batch are solved as the larger system [[diag(q), -E], [E', 0]], which knows
    the weights apart from each other and is well conditioned for weights of any size (of q, the largest is about 1).

    Args:
        E: the rows that are weighted, shape (m, d).
        q: the inverse weights, above 0, shape (B, m).
    """

    def __init__(self, E: Tensor, q: Tensor):
        self.E, self.q = E, q
        matrix = _gram(E, 1 / q)
        with torch.no_grad():
            factor, failed = torch.linalg.cholesky_ex(matrix)
            left = factor.diagonal(dim1=1, dim2=2).square() / matrix.diagonal(dim1=1, dim2=2)
            hard = ~((left.amin(1) > HARD) & (failed == 0))  # also where it is NaN
        self.hard = hard.nonzero().flatten()
        if len(self.hard):
            identity = torch.eye(E.shape[1], dtype=E.dtype, device=E.device)
            matrix = torch.where(hard[:, None, None], identity, matrix)
            block = torch.cat([torch.diag_embed(q[self.hard]), E.mT.expand(len(self.hard), -1, -1)], 1)
            border = torch.cat([-E, E.new_zeros(E.shape[1], E.shape[1])])
            self._lu = torch.linalg.lu_factor(torch.cat([block, border.expand(len(self.hard), -1, -1)], 2))
        self._factor = factor if not (len(self.hard) or q.requires_grad) else torch.linalg.cholesky(matrix)

    def solve(self, r: Tensor, p: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The t (B, m) and v (B, d) with diag(q) t - E v = p and E' t = r. For p = 0, v solves E' diag(1/q) E v = r."""
        p = torch.zeros_like(self.q) if p is None else p
        v = torch.cholesky_solve((r - (p / self.q) @ self.E)[..., None], self._factor)[..., 0]
        t = (p + v @ self.E.mT) / self.q
        if len(self.hard):
            right = torch.cat([p[self.hard], r[self.hard]], 1)[..., None]
            both = torch.linalg.lu_solve(*self._lu, right)[..., 0]
            t = t.index_put((self.hard,), both[:, : len(self.E)])
            v = v.index_put((self.hard,), both[:, len(self.E) :])
        return t, v

    def log_det(self) -> Tensor:
        """log det E' diag(1/q) E: (B,)."""
        result = 2 * self._factor.diagonal(dim1=1, dim2=2).log().sum(1)
        if len(self.hard):  # the determinant of the larger system is that times the product of q
            larger = self._lu[0].diagonal(dim1=1, dim2=2).abs().log().sum(1)
            result = result.index_put((self.hard,), larger - self.q[self.hard].log().sum(1))
        return result


def solve_linear(E: Tensor, q: Tensor, r: Tensor) -> Tensor:
    """The v with E' diag(1/q) E v = r: (B, m), (B, d) to (B, d). Differentiable."""
    count = rows_at_once(E)
    parts = zip(q.split(count), r.split(count), strict=True)
    return torch.cat([Weighted(E, some).solve(right)[1] for some, right in parts])


def log_det(E: Tensor, q: Tensor) -> Tensor:
    """log det E' diag(1/q) E: (B, m) to (B,). Differentiable."""
    return torch.cat([Weighted(E, some).log_det() for some in q.split(rows_at_once(E))])


def rows_at_once(E: Tensor) -> int:
    """So few that their matrices stay in the cache, and the larger systems, if all should need them, in 130 MB."""
    m, d = E.shape
    return max(1, min(2**19 // d**2, 2**24 // (m + d) ** 2))


def _gram(E: Tensor, weights: Tensor) -> Tensor:
    """E' diag(weights) E: (m, d), (B, m) to (B, d, d)."""
    m, d = E.shape
    if m * d * d > 2**22:
        return (E.mT * weights[:, None, :]) @ E
    outer = (E[:, :, None] * E[:, None, :]).reshape(m, d * d)  # one large product is faster than many small ones
    return (weights @ outer).reshape(-1, d, d)
