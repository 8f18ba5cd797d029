"""tain-analytic: sets whose mirror map mathematics gives, and those maps, exact to the edge.

Convex sets, such as `Simplex`, `Box`, `Ball` and `Polytope`, have Legendre maps, bijections of their interior;
`tain.mirror_for(constraint)` finds the best one. Every set with a projection has `EuclideanProjection`.

A component has no dtype of its own: its constants are float64 and are cast to those of the samples at use. So float64
samples get float64 results without a call of `.double()`, and `.float()` loses nothing.

Names are loaded when first used, so that `import tain_analytic` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain_analytic.affine import AffineSubspace as AffineSubspace
    from tain_analytic.ball import Ball as Ball
    from tain_analytic.ball_barrier import BallBarrier as BallBarrier
    from tain_analytic.box import Box as Box, Orthant as Orthant
    from tain_analytic.box_barrier import BoxBarrier as BoxBarrier
    from tain_analytic.box_entropy import BoxEntropy as BoxEntropy
    from tain_analytic.correlation import Correlation as Correlation
    from tain_analytic.correlation_map import PartialCorrelations as PartialCorrelations
    from tain_analytic.ellipsoid import Ellipsoid as Ellipsoid
    from tain_analytic.ellipsoid_barrier import EllipsoidBarrier as EllipsoidBarrier
    from tain_analytic.euclidean import EuclideanProjection as EuclideanProjection
    from tain_analytic.l1_ball import L1Ball as L1Ball
    from tain_analytic.linear_equations import LinearEquations as LinearEquations
    from tain_analytic.linear_rules import polytope_of as polytope_of
    from tain_analytic.log_determinant import LogDeterminant as LogDeterminant
    from tain_analytic.ordered import Ordered as Ordered
    from tain_analytic.ordered_entropy import OrderedEntropy as OrderedEntropy
    from tain_analytic.polytope import Polytope as Polytope
    from tain_analytic.polytope_barrier import PolytopeBarrier as PolytopeBarrier
    from tain_analytic.positive_definite import PositiveDefinite as PositiveDefinite
    from tain_analytic.second_order_cone import SecondOrderCone as SecondOrderCone
    from tain_analytic.second_order_cone_barrier import SecondOrderConeBarrier as SecondOrderConeBarrier
    from tain_analytic.second_order_cone_entropy import SecondOrderConeEntropy as SecondOrderConeEntropy
    from tain_analytic.simplex import Simplex as Simplex
    from tain_analytic.simplex_entropy import SimplexEntropy as SimplexEntropy
    from tain_analytic.simplex_softmax import SimplexSoftmax as SimplexSoftmax
    from tain_analytic.slabs import HalfSpace as HalfSpace, Slabs as Slabs
    from tain_analytic.slabs_barrier import SlabsBarrier as SlabsBarrier
    from tain_analytic.slabs_entropy import SlabsEntropy as SlabsEntropy
    from tain_analytic.sphere import Sphere as Sphere
    from tain_analytic.unconstrained import Identity as Identity, Unconstrained as Unconstrained
    from tain_analytic.von_neumann_entropy import VonNeumannEntropy as VonNeumannEntropy
    from tain_analytic.watermark import (
        FalsePositives as FalsePositives,
        false_positives as false_positives,
        private_watermark as private_watermark,
    )

_HOME = {
    "affine": "AffineSubspace",
    "ball": "Ball",
    "ball_barrier": "BallBarrier",
    "box": "Box Orthant",
    "box_barrier": "BoxBarrier",
    "box_entropy": "BoxEntropy",
    "correlation": "Correlation",
    "correlation_map": "PartialCorrelations",
    "ellipsoid": "Ellipsoid",
    "ellipsoid_barrier": "EllipsoidBarrier",
    "euclidean": "EuclideanProjection",
    "l1_ball": "L1Ball",
    "log_determinant": "LogDeterminant",
    "linear_equations": "LinearEquations",
    "ordered": "Ordered",
    "ordered_entropy": "OrderedEntropy",
    "polytope": "Polytope",
    "polytope_barrier": "PolytopeBarrier",
    "linear_rules": "polytope_of",
    "positive_definite": "PositiveDefinite",
    "second_order_cone": "SecondOrderCone",
    "second_order_cone_barrier": "SecondOrderConeBarrier",
    "second_order_cone_entropy": "SecondOrderConeEntropy",
    "simplex": "Simplex",
    "simplex_entropy": "SimplexEntropy",
    "simplex_softmax": "SimplexSoftmax",
    "slabs": "HalfSpace Slabs",
    "slabs_barrier": "SlabsBarrier",
    "slabs_entropy": "SlabsEntropy",
    "sphere": "Sphere",
    "unconstrained": "Identity Unconstrained",
    "watermark": "FalsePositives false_positives private_watermark",
    "von_neumann_entropy": "VonNeumannEntropy",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain_analytic' has no attribute '{name}'")
    value = getattr(import_module(f"tain_analytic.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
