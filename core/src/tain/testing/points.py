"""Random points inside, outside and on the boundary of a set, without throwing points away.

Points inside come from the first of these that there is: the subject's own `points`; the constraint's `interior`; an
exact mirror map, which normal numbers are brought back by; hit-and-run from the subject's `start`; projections of
normal numbers; steps down the distance.
"""

import functools

import torch
from torch import Tensor

from tain.capabilities import supports
from tain.constraints import Constraint, Interior, Projectable
from tain.learned import Learned
from tain.mirror_maps import Bijective, MirrorMap, Projective
from tain.mirror_search import offers
from tain.mirrored import Mirrored
from tain.randomness import standard_normal, uniform
from tain.testing.outcome import NotApplicable
from tain.testing.subjects import Subject

__all__ = ["anywhere", "inside", "is_exact", "mirror_images", "near_boundary", "on_boundary", "outside"]

_TRIES = 12


def inside(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """`n` points of the set, (n, *S); for a generator without a rule, normal numbers.

    Raises:
        NotApplicable: no way is known to find any.
    """
    rule, normal = subject.constraint, _normal(subject, n, rng, dtype)
    if subject.points is not None:
        return subject.points(n, rng=rng, dtype=dtype)
    if rule is None:
        return normal
    if supports(rule, Interior):
        return rule.interior(n, rng=rng, dtype=dtype)
    if mirror := _mirror_of(subject):
        shape = mirror.mirror_shape(subject.event_shape)
        return mirror.inverse(standard_normal((n, *shape), rng, normal)).detach()
    if subject.start is not None:
        return _hit_and_run(rule, subject.start.to(dtype).expand(n, *subject.event_shape), rng)
    return rule.project(normal * rule.scale).detach() if supports(rule, Projectable) else _descended(rule, normal)


def anywhere(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Points inside and far outside: normal numbers of sizes from 1e-3 to 1e2 of the scale."""
    exponent = uniform((n, *[1] * len(subject.event_shape)), rng, torch.empty((), dtype=dtype)) * 5 - 3
    return _normal(subject, n, rng, dtype) * 10**exponent * subject.scale


def outside(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """`n` points outside of the set by more than its tolerance: points inside, moved in random directions.

    Raises:
        NotApplicable: none was found, as for a rule that all samples keep.
    """
    rule = _rule(subject)
    start = inside(subject, n, rng, dtype)
    found, moved = torch.zeros(n, dtype=torch.bool), start
    for attempt in range(_TRIES):
        size = 10.0 ** (attempt % 4 - 1) * rule.scale  # 0.1, 1, 10 and 100 times the scale, each in turn
        tried = start + _normal(subject, n, rng, dtype) * size * uniform(_column(start), rng, start).clamp(min=0.1)
        moved = torch.where(_expand(found, start), moved, tried)
        found = found | ~rule.contains(moved, 10 * rule.tolerance(dtype))
        if found.all():
            return moved
    if not found.any():
        raise NotApplicable(f"no point outside was found, within {100 * rule.scale:g} of points inside")
    return moved[found][torch.arange(n) % int(found.sum())]


def on_boundary(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """`n` points on the relative boundary: from a point inside, past another, up to the last one that is inside.

    Raises:
        NotApplicable: the set goes on for ever in all directions that were tried.
    """
    rule = _rule(subject)
    x, other = (inside(subject, n, rng, torch.float64) for _ in range(2))
    edge, bounded = _last_inside(rule, x, other - x)
    if not bounded.any():
        raise NotApplicable(f"no boundary was found, within {2**20} times the distance of points inside")
    edge = edge[bounded][torch.arange(n) % int(bounded.sum())].to(dtype)
    return rule.project(edge).detach() if supports(rule, Projectable) else edge


def near_boundary(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Points inside at distances of 1e-6 to 1 of the way from the boundary to a point inside."""
    edge = on_boundary(subject, n, rng, torch.float64)
    share = 10 ** (-6 * uniform(_column(edge), rng, edge))
    return torch.lerp(edge, inside(subject, n, rng, torch.float64), share).to(dtype)


def mirror_images(shape: tuple[int, ...], n: int, rng: torch.Generator, dtype: torch.dtype, largest: float) -> Tensor:
    """Mirror images of any size from 0 to `largest`, (n, *shape): plain, single, even and wildly uneven entries."""
    like = torch.empty((), dtype=torch.float64)
    normal = standard_normal((n, *shape), rng, like).clamp(-1, 1)
    share = uniform((n, *shape), rng, like)
    uneven = normal.sign() * largest ** (2 * share - 1)
    even = normal * largest ** (2 * share.flatten(1)[:, :1].reshape(_column(normal)) - 1)
    single = torch.where(share == share.flatten(1).amax(1).reshape(_column(share)), uneven, 0)
    kinds = torch.stack([normal, even, single, uneven, 0 * normal, largest + 0 * normal, -largest + 0 * normal])
    rows = torch.arange(n)
    return kinds[(rows + int(torch.randint(7, (), generator=rng))) % 7, rows].to(dtype)


def is_exact(mirror: MirrorMap) -> bool:
    """Whether a map, and all that it is made of, keeps its rule up to rounding: a learned one, only by its form."""
    learned = [module for module in mirror.modules() if isinstance(module, Learned)]
    return all(isinstance(module, Bijective | Projective) for module in learned)


@functools.lru_cache(maxsize=64)
def _mirror_of(subject: Subject) -> MirrorMap | None:
    """An exact map of a subject's set: its own, else the best that is installed. Kept, since some are slow to make."""
    component = subject.component.mirror if isinstance(subject.component, Mirrored) else subject.component
    found = (component,) if isinstance(component, MirrorMap) and is_exact(component) else offers(_rule(subject))
    return next(filter(is_exact, found), None)


def _rule(subject: Subject) -> Constraint:
    if subject.constraint is None:
        raise NotApplicable(f"{subject.name} has no constraint")
    return subject.constraint


def _normal(subject: Subject, n: int, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    return standard_normal((n, *subject.event_shape), rng, torch.empty((), dtype=dtype))


def _column(x: Tensor) -> tuple[int, ...]:
    return (len(x), *[1] * (x.ndim - 1))


def _expand(rows: Tensor, x: Tensor) -> Tensor:
    return rows.reshape(_column(x)).expand_as(x)


def _last_inside(rule: Constraint, x: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """How far each x may go: the last point inside on its ray, and whether there is one. Bisects to float64."""
    low, high = torch.zeros(_column(x), dtype=x.dtype), torch.ones(_column(x), dtype=x.dtype)
    for _ in range(20):
        within = _expand(rule.contains(x + high * direction), high)
        if not within.any():
            break
        low, high = torch.where(within, high, low), torch.where(within, 2 * high, high)
    bounded = ~rule.contains(x + high * direction)
    for _ in range(50):
        middle = (low + high) / 2
        within = _expand(rule.contains(x + middle * direction), middle)
        low, high = torch.where(within, middle, low), torch.where(within, high, middle)
    return x + low * direction, bounded


def _hit_and_run(rule: Constraint, x: Tensor, rng: torch.Generator, steps: int = 8) -> Tensor:
    """Walk from x: each step goes to a random place of a random chord. Source: https://doi.org/10.1287/opre.32.6.1296"""
    for _ in range(steps):
        direction = standard_normal(tuple(x.shape), rng, x)
        ends = [_last_inside(rule, x, sign * direction * rule.scale)[0] for sign in (1, -1)]
        x = torch.lerp(ends[0], ends[1], 0.01 + 0.98 * uniform(_column(x), rng, x))
    return x


def _descended(rule: Constraint, x: Tensor) -> Tensor:
    """Steps down the distance, each as long as would bring it to zero were it linear (Polyak's step)."""
    for _ in range(200):
        if rule.contains(x).all():
            return x
        x = x.detach().requires_grad_()
        distance = rule.distance(x)
        (slope,) = torch.autograd.grad(distance.sum(), x)
        square = slope.flatten(1).square().sum(1).clamp(min=torch.finfo(x.dtype).tiny)
        x = (x - slope * (distance / square).reshape(_column(x))).detach()
    raise NotApplicable("no point inside was found; give points=, a function (n, rng=, dtype=) that draws some")
