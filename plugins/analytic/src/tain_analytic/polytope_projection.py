"""The nearest points of a polytope, for many points at once, by the dual active set method of Goldfarb and Idnani.

The nearest point to p of {z : G z <= h} is the nearest to p on a face: G_A z = h_A with the facets A it lies on, and
p - z = G_A' l with multipliers l >= 0. The method starts at z = p with no facet. It adds the facet that z violates
most, and drops those whose multiplier would become negative on the way, until z violates none. The distance |p - z|
grows with each facet, so that none of the finitely many sets of facets comes twice, in corners of many facets as well.

The facets of a set are kept as orthonormal columns, G_A' = Q R. So the nearest point on a face has two parts,
z = Q R'^-1 h_A + (p - Q Q' p), each of the size of its own numbers. From 1e15 times the scale away, the second is all
rounding errors, other ones for each set of facets, and steps may go in circles. Such a row is brought nearer in a way
that keeps its nearest point: by p - z = G_A' l, multipliers may shrink, as long as their facets keep some.

Source: A numerically stable dual method for solving strictly convex quadratic programs,
https://doi.org/10.1007/BF02591962
"""

import math
from typing import Any

import attrs
import torch
from torch import Tensor

from tain_analytic.numerics import norm

__all__ = ["AlongFace", "nearest"]

EPS = torch.finfo(torch.float64).eps
ROUNDING = 4 * EPS  # of p: as much of it along a face, or less, counts as nothing
STAGES = ((1e8, 1e4), (1e2, 1e-2))  # times the scale: where points that go in circles are brought, least multipliers
DEPENDENT = 1e-9  # the distance of a unit normal from the span of others below which it adds no direction
PATIENCE = 4  # steps for each facet and each dimension until steps may be going in circles: few take 2


@torch.no_grad()
def nearest(G: Tensor, h: Tensor, p: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The points of {z : G z <= h} nearest to p: (B, d) to (B, d), and the facets they lie on.

    Each row takes its own steps and is set aside once it is solved; a row that is not finite is returned as NaN.

    Args:
        G: normals of unit length, shape (m, d).
        h: above 0, shape (m,), so that 0 is inside.
        p: points of any size, shape (B, d).
        scale: of the numbers in the set: twice its rounding error is no distance.

    Returns:
        The points, and as many facets (B, d) as make up their faces: their numbers in order, and then m, for none.
    """
    z, facets = torch.full_like(p, math.nan), torch.full(p.shape, len(G), device=p.device)
    finite = p.isfinite().all(1).nonzero().flatten()
    for rows in finite.split(_rows_at_once(G)):
        _solve(G, h, p[rows], scale, rows, z, facets)
    # Where the facets of a corner are nearly parallel, rounding leaves a little to others: back towards 0, inside.
    s = h - z @ G.mT
    share = torch.where(s < -2 * EPS * scale, h / (h - s), 1).amin(1, keepdim=True)
    return z * share, facets


@attrs.define
class _Faces:
    """The state of the rows at work.

    Attributes:
        rows: their places in the result (b,).
        p: the points to project (b, d).
        facets: the numbers of the facets that z lies on (b, d), in order, and then m, for none.
        count: how many these are (b,).
        Q, R: the factors of their normals (b, d, d). Empty places have columns of zeros and of the unit matrix.
        entering: the facet that is being added (b,), m for none, and
        share: its multiplier so far (b, 1).
    """

    rows: Tensor
    p: Tensor
    facets: Tensor
    count: Tensor
    Q: Tensor
    R: Tensor
    entering: Tensor
    share: Tensor

    def keep(self, which: Tensor) -> None:
        for field in attrs.fields(_Faces):
            setattr(self, field.name, getattr(self, field.name)[which])


def _solve(G: Tensor, h: Tensor, p: Tensor, scale: float, rows: Tensor, z: Tensor, facets: Tensor) -> None:
    """Fills these rows of z and of the facets."""
    (m, d), eye = G.shape, torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    G, h = torch.cat([G, G.new_zeros(1, d)]), torch.cat([h, h.new_zeros(1)])  # facet m is none
    none = torch.full((len(p), d), m, device=p.device)
    Q, R = p.new_zeros(len(p), d, d), eye.repeat(len(p), 1, 1)
    at = _Faces(rows, p, none, torch.zeros_like(rows), Q, R, none[:, 0], p.new_zeros(len(p), 1))
    steps = 0
    while len(at.rows):
        late = steps // (PATIENCE * (m + d))
        # Rounding might exchange the facets of a corner for ever; in the end, each step allows twice the error.
        allowed = 2 * EPS * scale * 2.0 ** min(max(0, steps - 3 * PATIENCE * (m + d)), 500)
        point, multipliers = _point(at, G, h)
        if late > 0:
            _approach(at, point, multipliers, G, *(scale * ratio for ratio in STAGES[min(late, 2) - 1]))
        s = (h - point @ G.mT).scatter(1, at.facets, math.inf)
        s[:, m] = math.inf
        least, worst = s.min(1)
        fresh = at.entering == m
        done = fresh & (least >= -allowed)
        at.entering = torch.where(fresh, worst, at.entering)
        g = G[at.entering]
        inner, n = _split(at.Q, g)
        size = norm(n)
        r = _back(at.R, inner)  # g = n + G_A' r: what the facet takes from the multipliers of the others
        until, slot = torch.where(r > 1e-12, multipliers.clamp(min=0) / r, math.inf).min(1, keepdim=True)
        missing = (-s.gather(1, at.entering[:, None])).clamp(min=0)
        enough = torch.where(size > DEPENDENT, missing / size.square(), math.inf)
        done = done | (torch.minimum(until, enough) == math.inf)[:, 0]  # by rounding: no step mends this facet
        adds, drops = ((~done & chosen[:, 0]).nonzero().flatten() for chosen in (enough <= until, enough > until))
        if bool(done.any()):
            ended, A = at.rows[done], at.facets[done]
            z[ended] = _mended(at.Q[done], at.R[done], point[done], G[A], h[A])
            facets[ended] = A
        _add(at, adds, (n / size)[adds], inner[adds], size[adds, 0], m)
        _drop(at, drops, slot[drops], until[drops], G)
        if bool(done.any()):
            at.keep(~done)
        steps += 1


def _point(at: _Faces, G: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest point on the face to p less the share of the entering facet's normal, and its multipliers."""
    p = at.p - at.share * G[at.entering]
    inner, along = _split(at.Q, p)
    lost = ROUNDING * torch.maximum(norm(at.p), at.share)
    y = torch.linalg.solve_triangular(at.R.mT, h[at.facets][..., None], upper=False)[..., 0]
    point = torch.where(norm(along) > lost, along, 0) + (at.Q @ y[..., None])[..., 0]
    return point, _back(at.R, inner - y)


def _approach(at: _Faces, point: Tensor, multipliers: Tensor, G: Tensor, reach: float, least: float) -> None:
    """Brings far rows nearer, with the same nearest point on their faces."""
    size = norm(at.p)
    far = ((at.entering == len(G) - 1) & (size[:, 0] > 100 * reach)).nonzero().flatten()
    given = multipliers[far].clamp(min=0)
    kept = torch.maximum(given * (reach / size[far]), given.clamp(max=least))
    at.p[far] = point[far] + (kept[:, None] @ G[at.facets[far]])[:, 0]
    multipliers[far] = kept


def _split(Q: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Q' v and v - Q Q' v, which is orthogonal to Q to all its digits, since it is made so twice."""
    inner = (v[:, None] @ Q)[:, 0]
    rest = v - (Q @ inner[..., None])[..., 0]
    again = (rest[:, None] @ Q)[:, 0]
    return inner + again, rest - (Q @ again[..., None])[..., 0]


def _back(R: Tensor, v: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(R, v[..., None], upper=True)[..., 0]


def _mended(Q: Tensor, R: Tensor, point: Tensor, normals: Tensor, bounds: Tensor) -> Tensor:
    """The point, moved by what rounding has left of the slacks of its facets."""
    left = bounds[..., None] - normals @ point[..., None]
    return point + (Q @ torch.linalg.solve_triangular(R.mT, left, upper=False))[..., 0]


def _add(at: _Faces, rows: Tensor, n: Tensor, inner: Tensor, size: Tensor, none: int) -> None:
    place = at.count[rows]
    at.Q[rows, :, place] = n
    at.R[rows, :, place] = inner
    at.R[rows, place, place] = size
    at.facets[rows, place] = at.entering[rows]
    at.count[rows] = place + 1
    at.entering[rows], at.share[rows] = none, 0


def _drop(at: _Faces, rows: Tensor, slot: Tensor, further: Tensor, G: Tensor) -> None:
    if not len(rows):
        return
    places = torch.arange(at.p.shape[1], device=rows.device)
    longer = torch.cat([at.facets[rows], torch.full_like(slot, len(G) - 1)], 1)
    at.facets[rows] = longer.gather(1, places + (places >= slot).long())
    at.count[rows] -= 1
    at.share[rows] += further
    at.Q[rows], at.R[rows] = _factors(G, at.facets[rows])


def _factors(G: Tensor, facets: Tensor) -> tuple[Tensor, Tensor]:
    """Q and R of these facets, (B, d) to twice (B, d, d), for normals G with a last row of zeros."""
    Q, R = torch.linalg.qr(G[facets].mT)
    filled = facets < len(G) - 1
    identity = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    return Q * filled[:, None], torch.where(filled[:, None] & filled[..., None], R, identity)


def _rows_at_once(G: Tensor) -> int:
    """So many that steps cost more than calling them, but their matrices stay within 20 MB."""
    return max(1, 2**20 // (G.shape[1] * max(G.shape)))


class AlongFace(torch.autograd.Function):
    """`value` as a function of x with the derivative N (1 - Q Q') N', Q spanning the normals of these facets."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, N: Tensor, G: Tensor, facets: Tensor) -> Tensor:
        ctx.save_for_backward(N, G, facets)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        N, G, facets = ctx.saved_tensors
        count, wide, longer = _rows_at_once(G), gradient.double() @ N, torch.cat([G, G.new_zeros(1, G.shape[1])])
        parts = zip(facets.split(count), wide.split(count), strict=True)
        along = torch.cat([_split(_factors(longer, some)[0], part)[1] for some, part in parts])
        return (along @ N.mT).to(gradient.dtype), None, None, None, None
