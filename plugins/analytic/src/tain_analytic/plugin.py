"""The hooks of tain-analytic. Imports torch only once a hook is asked."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from tain import Component, hookimpl

if TYPE_CHECKING:
    from tain import Configured, Constraint, MirrorMap

__all__: list[str] = []


def _component(name: str, target: type, *, summary: str) -> Component:
    """A component with the examples of its name, which are made only when they are asked for."""

    def examples() -> list["Configured"]:
        from tain_analytic.examples import EXAMPLES

        return EXAMPLES[name]()

    return Component(name, target, summary=summary, examples=examples)


@hookimpl
def tain_constraints() -> Iterator[Component]:
    from tain_analytic import (
        AffineSubspace,
        Ball,
        Box,
        Correlation,
        Ellipsoid,
        HalfSpace,
        L1Ball,
        Ordered,
        Orthant,
        Polytope,
        PositiveDefinite,
        SecondOrderCone,
        Simplex,
        Slabs,
        Sphere,
        Unconstrained,
    )

    yield _component("simplex", Simplex, summary="shares: at least 0, with sum 1")
    yield _component("box", Box, summary="a lower and an upper bound on each coordinate, either may be infinite")
    yield _component("orthant", Orthant, summary="numbers that are not negative")
    yield _component("ordered", Ordered, summary="numbers in ascending order")
    yield _component("ball", Ball, summary="at most a radius away from a centre")
    yield _component("ellipsoid", Ellipsoid, summary="a ball in the metric of a positive definite matrix")
    yield _component("second-order-cone", SecondOrderCone, summary="a last number at least the length of the others")
    yield _component("positive-definite", PositiveDefinite, summary="symmetric matrices without negative eigenvalues")
    yield _component("correlation", Correlation, summary="such matrices with ones on the diagonal")
    yield _component("slabs", Slabs, summary="bounds along orthonormal directions, everything across them")
    yield _component("half-space", HalfSpace, summary="one side of a plane")
    yield _component("sphere", Sphere, summary="exactly a radius away from a centre")
    yield _component("l1-ball", L1Ball, summary="entries whose sizes sum to a radius at most")
    yield _component("polytope", Polytope, summary="linear inequalities and equations, A x <= b and C x = d")
    yield _component("affine-subspace", AffineSubspace, summary="linear equations, A x = b")
    yield _component("unconstrained", Unconstrained, summary="no rule at all: every finite tensor")


@hookimpl
def tain_mirror_maps() -> Iterator[Component]:
    from tain_analytic import (
        BallBarrier,
        BoxBarrier,
        BoxEntropy,
        EllipsoidBarrier,
        EuclideanProjection,
        Identity,
        LogDeterminant,
        OrderedEntropy,
        PartialCorrelations,
        PolytopeBarrier,
        SecondOrderConeBarrier,
        SecondOrderConeEntropy,
        SimplexEntropy,
        SimplexSoftmax,
        SlabsBarrier,
        SlabsEntropy,
        VonNeumannEntropy,
    )

    yield _component("simplex-entropy", SimplexEntropy, summary="log-ratios of the shares; back by softmax")
    yield _component("simplex-softmax", SimplexSoftmax, summary="centred log-ratios of the shares; back by softmax")
    yield _component("box-entropy", BoxEntropy, summary="log-odds between two bounds, logarithms at a single one")
    yield _component("box-barrier", BoxBarrier, summary="the log barrier of a box, or a milder one with a power")
    yield _component("ball-barrier", BallBarrier, summary="the log barrier of the ball, or a milder one with a power")
    yield _component("ellipsoid-barrier", EllipsoidBarrier, summary="the same of the ellipsoid")
    yield _component(
        "second-order-cone-entropy", SecondOrderConeEntropy, summary="logarithms of the cone's eigenvalues"
    )
    yield _component(
        "second-order-cone-barrier", SecondOrderConeBarrier, summary="the log barrier of the cone plus half the square"
    )
    yield _component("von-neumann-entropy", VonNeumannEntropy, summary="the matrix logarithm; back by the exponential")
    yield _component(
        "log-determinant", LogDeterminant, summary="the log-determinant barrier of a matrix plus half the square"
    )
    yield _component("partial-correlations", PartialCorrelations, summary="Fisher's z of all partial correlations")
    yield _component("ordered-entropy", OrderedEntropy, summary="the first number, and logarithms of the gaps")
    yield _component("slabs-entropy", SlabsEntropy, summary="log-odds along directions, the identity across them")
    yield _component("slabs-barrier", SlabsBarrier, summary="log barriers along directions, the identity across them")
    yield _component(
        "polytope-barrier", PolytopeBarrier, summary="the log barrier of the polytope; back by Newton's method"
    )
    yield _component("euclidean-projection", EuclideanProjection, summary="the nearest point of any set that has one")
    yield _component("identity", Identity, summary="leaves samples as they are")


@hookimpl
def tain_mirror_for(constraint: "Constraint") -> Iterator["MirrorMap"]:
    import tain_analytic as analytic
    from tain import Both, Combined, ConfigurationError, Projectable

    match constraint:
        case analytic.Simplex():
            yield analytic.SimplexEntropy(constraint)
            yield analytic.SimplexSoftmax(constraint)
        case analytic.Box() | analytic.Orthant():
            yield analytic.BoxEntropy(constraint)
            yield analytic.BoxBarrier(constraint)
        case analytic.Ball():
            yield analytic.BallBarrier(constraint)
        case analytic.Ellipsoid():
            yield analytic.EllipsoidBarrier(constraint)
        case analytic.SecondOrderCone():
            yield analytic.SecondOrderConeEntropy(constraint)
            yield analytic.SecondOrderConeBarrier(constraint)
        case analytic.PositiveDefinite():  # the logarithm first: its tails are lighter than those of 1 / x
            yield analytic.VonNeumannEntropy(constraint)
            yield analytic.LogDeterminant(constraint)
        case analytic.Correlation():
            yield analytic.PartialCorrelations(constraint)
        case analytic.Slabs() | analytic.HalfSpace():
            yield analytic.SlabsEntropy(constraint)
            yield analytic.SlabsBarrier(constraint)
        case analytic.Polytope():
            yield analytic.PolytopeBarrier(constraint)
        case analytic.Ordered():
            yield analytic.OrderedEntropy(constraint)
        case analytic.Unconstrained():
            yield analytic.Identity(constraint)
        case Both():
            with suppress(ConfigurationError):  # linear, but empty or unbounded
                if mirror := analytic.PolytopeBarrier.of(constraint):
                    yield mirror
    if isinstance(constraint, Projectable) and not isinstance(constraint, Combined):
        # Of any plugin. What is made of parts gets its map from theirs, which may be better than projections.
        yield analytic.EuclideanProjection(constraint)
