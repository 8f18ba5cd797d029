"""Small instances of each component, by name, through which `pytest --tain-conformance` tests them."""

import math
from collections.abc import Callable, Mapping

from tain import Configured
from tain_analytic.affine import AffineSubspace
from tain_analytic.ball import Ball
from tain_analytic.ball_barrier import BallBarrier
from tain_analytic.box import Box, Orthant
from tain_analytic.box_barrier import BoxBarrier
from tain_analytic.box_entropy import BoxEntropy
from tain_analytic.correlation import Correlation
from tain_analytic.correlation_map import PartialCorrelations
from tain_analytic.ellipsoid import Ellipsoid
from tain_analytic.ellipsoid_barrier import EllipsoidBarrier
from tain_analytic.euclidean import EuclideanProjection
from tain_analytic.l1_ball import L1Ball
from tain_analytic.log_determinant import LogDeterminant
from tain_analytic.ordered import Ordered
from tain_analytic.ordered_entropy import OrderedEntropy
from tain_analytic.polytope import Polytope
from tain_analytic.polytope_barrier import PolytopeBarrier
from tain_analytic.positive_definite import PositiveDefinite
from tain_analytic.second_order_cone import SecondOrderCone
from tain_analytic.second_order_cone_barrier import SecondOrderConeBarrier
from tain_analytic.second_order_cone_entropy import SecondOrderConeEntropy
from tain_analytic.simplex import Simplex
from tain_analytic.simplex_entropy import SimplexEntropy
from tain_analytic.simplex_softmax import SimplexSoftmax
from tain_analytic.slabs import HalfSpace, Slabs
from tain_analytic.slabs_barrier import SlabsBarrier
from tain_analytic.slabs_entropy import SlabsEntropy
from tain_analytic.sphere import Sphere
from tain_analytic.unconstrained import Identity, Unconstrained
from tain_analytic.von_neumann_entropy import VonNeumannEntropy

__all__ = ["EXAMPLES"]


def _box() -> Box:
    return Box((0.0, -math.inf, 18.0), (math.inf, 2.5, 100.0))


def _ellipsoid() -> Ellipsoid:
    return Ellipsoid(((2.0, 0.5), (0.5, 1.0)), 3.0, (1.0, -2.0))


def _slabs() -> Slabs:
    return Slabs(((0.6, 0.8, 0.0), (-0.8, 0.6, 0.0)), (-1.0, 0.0), (0.5, math.inf))


def _triangle() -> Polytope:
    return Polytope(((1.0, 1.0), (-1.0, 0.0), (0.0, -1.0)), (1.0, 0.0, 0.0))


EXAMPLES: Mapping[str, Callable[[], list[Configured]]] = {
    "simplex": lambda: [Simplex(4)],
    "box": lambda: [_box()],
    "orthant": lambda: [Orthant(3)],
    "ordered": lambda: [Ordered(4)],
    "ball": lambda: [Ball(3, 2.0)],
    "ellipsoid": lambda: [_ellipsoid()],
    "second-order-cone": lambda: [SecondOrderCone(4)],
    "positive-definite": lambda: [PositiveDefinite(3)],
    "correlation": lambda: [Correlation(3)],
    "slabs": lambda: [_slabs()],
    "half-space": lambda: [HalfSpace((1.0, -2.0, 0.5), 3.0)],
    "sphere": lambda: [Sphere(3, 2.0)],
    "l1-ball": lambda: [L1Ball(4, 3.0)],
    "polytope": lambda: [_triangle()],
    "affine-subspace": lambda: [AffineSubspace(((1.0, 2.0, -1.0),), (1.0,))],
    "unconstrained": lambda: [Unconstrained()],
    "simplex-entropy": lambda: [SimplexEntropy(Simplex(4)), SimplexEntropy(Simplex(3), "additive")],
    "simplex-softmax": lambda: [SimplexSoftmax(Simplex(4))],
    "box-entropy": lambda: [BoxEntropy(_box())],
    "box-barrier": lambda: [BoxBarrier(_box())],
    "ball-barrier": lambda: [BallBarrier(Ball(3, 2.0))],
    "ellipsoid-barrier": lambda: [EllipsoidBarrier(_ellipsoid())],
    "second-order-cone-entropy": lambda: [SecondOrderConeEntropy(SecondOrderCone(4))],
    "second-order-cone-barrier": lambda: [SecondOrderConeBarrier(SecondOrderCone(4))],
    "von-neumann-entropy": lambda: [VonNeumannEntropy(PositiveDefinite(3))],
    "log-determinant": lambda: [LogDeterminant(PositiveDefinite(3))],
    "partial-correlations": lambda: [PartialCorrelations(Correlation(3))],
    "ordered-entropy": lambda: [OrderedEntropy(Ordered(4))],
    "slabs-entropy": lambda: [SlabsEntropy(_slabs())],
    "slabs-barrier": lambda: [SlabsBarrier(_slabs())],
    "polytope-barrier": lambda: [PolytopeBarrier(_triangle())],
    "euclidean-projection": lambda: [EuclideanProjection(Simplex(3)), EuclideanProjection(Sphere(3, 2.0))],
    "identity": lambda: [Identity(Unconstrained())],
}
