"""The hooks of tain-analytic. Imports torch only once a hook is asked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tain import Component, hookimpl

if TYPE_CHECKING:
    from tain import Constraint, MirrorMap

__all__: list[str] = []


@hookimpl
def tain_constraints() -> Iterator[Component]:
    from tain_analytic import AffineSubspace, Ball, Box, Simplex, Unconstrained

    yield Component("simplex", Simplex, summary="shares: at least 0, with sum 1")
    yield Component("box", Box, summary="a lower and an upper bound on each coordinate, either may be infinite")
    yield Component("ball", Ball, summary="at most a radius away from a centre")
    yield Component("affine-subspace", AffineSubspace, summary="linear equations, A x = b")
    yield Component("unconstrained", Unconstrained, summary="no rule at all: every finite tensor")


@hookimpl
def tain_mirror_maps() -> Iterator[Component]:
    from tain_analytic import AffineProjection, BallBarrier, BoxEntropy, Identity, SimplexEntropy

    yield Component("simplex-entropy", SimplexEntropy, summary="log-ratios of the shares; back by softmax")
    yield Component("box-entropy", BoxEntropy, summary="log-odds between two bounds, a log barrier at a single one")
    yield Component("ball-barrier", BallBarrier, summary="the log barrier of the ball")
    yield Component("affine-projection", AffineProjection, summary="Euclidean projection onto linear equations")
    yield Component("identity", Identity, summary="leaves samples as they are")


@hookimpl
def tain_mirror_for(constraint: "Constraint") -> Iterator["MirrorMap"]:
    import tain_analytic as analytic

    match constraint:
        case analytic.Simplex():
            yield analytic.SimplexEntropy(constraint)
        case analytic.Box():
            yield analytic.BoxEntropy(constraint)
        case analytic.Ball():
            yield analytic.BallBarrier(constraint)
        case analytic.AffineSubspace():
            yield analytic.AffineProjection(constraint)
        case analytic.Unconstrained():
            yield analytic.Identity(constraint)
