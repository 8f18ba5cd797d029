"""Draw the pictures of `docs/reference/which-map.md`: a grid in each two-dimensional set, and its mirror image.

    python docs/images/which_map.py [FOLDER]

Writes one PNG a map into FOLDER, by default docs/images/maps. Lines of one colour are the same lines left and right.
"""

import math
import sys
from pathlib import Path

import matplotlib
import torch

import tain
from tain_analytic import (
    Ball,
    BallBarrier,
    Box,
    BoxBarrier,
    BoxEntropy,
    Ellipsoid,
    EllipsoidBarrier,
    EuclideanProjection,
    HalfSpace,
    L1Ball,
    Ordered,
    OrderedEntropy,
    Orthant,
    Polytope,
    PolytopeBarrier,
    SecondOrderCone,
    SecondOrderConeBarrier,
    SecondOrderConeEntropy,
    Simplex,
    SimplexEntropy,
    SimplexSoftmax,
    Slabs,
    SlabsBarrier,
    SlabsEntropy,
    Sphere,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

INF = math.inf
FINE = 2001  # points of a line
TERNARY = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)  # the simplex's corners

PENTAGON = [2 * math.pi * k / 5 + 0.3 for k in range(5)]
unit = Box((0.0, 0.0), (1.0, 1.0))
orthant = Orthant(2)
turned = Ellipsoid([[1.0, 0.6], [0.6, 1.0]])
slab = Slabs([[0.6, 0.8]], (-0.5,), (0.5,))
pentagon = Polytope([[math.cos(a), math.sin(a)] for a in PENTAGON], [1.0] * 5)
MAPS: dict[str, tain.MirrorMap] = {
    "simplex-entropy": SimplexEntropy(Simplex(3)),
    "simplex-entropy-additive": SimplexEntropy(Simplex(3), "additive"),
    "simplex-softmax": SimplexSoftmax(Simplex(3)),
    "box-entropy": BoxEntropy(unit),
    "box-barrier": BoxBarrier(unit),
    "box-barrier-power": BoxBarrier(unit, power=0.25),
    "orthant-entropy": BoxEntropy(orthant),
    "orthant-barrier": BoxBarrier(orthant),
    "ball-barrier": BallBarrier(Ball(2, 1.0)),
    "ball-barrier-power": BallBarrier(Ball(2, 1.0), power=0.25),
    "ellipsoid-barrier": EllipsoidBarrier(turned),
    "second-order-cone-entropy": SecondOrderConeEntropy(SecondOrderCone(2)),
    "second-order-cone-barrier": SecondOrderConeBarrier(SecondOrderCone(2)),
    "polytope-barrier": PolytopeBarrier(pentagon),
    "half-space-entropy": SlabsEntropy(HalfSpace((1.0, 1.0), 0.0)),
    "slabs-entropy": SlabsEntropy(slab),
    "slabs-barrier": SlabsBarrier(slab),
    "ordered-entropy": OrderedEntropy(Ordered(2)),
    "projection-sphere": EuclideanProjection(Sphere(2, 1.0)),
    "projection-l1-ball": EuclideanProjection(L1Ball(2, 1.0)),
}


def lines(low: float, high: float, count: int) -> torch.Tensor:
    """Lines across the square from `low` to `high`, `count` each way: (2 count, FINE, 2)."""
    across = torch.linspace(low, high, count, dtype=torch.float64)[:, None].expand(count, FINE)
    along = torch.linspace(low, high, FINE, dtype=torch.float64).expand(count, FINE)
    return torch.cat([torch.stack([across, along], 2), torch.stack([along, across], 2)])


def shares(count: int) -> torch.Tensor:
    """Lines in the simplex along which one of three shares is constant: (3 count, FINE, 3)."""
    constant = torch.linspace(0, 1, count + 2, dtype=torch.float64)[1:-1, None].expand(count, FINE)
    rest = torch.linspace(0, 1, FINE, dtype=torch.float64) * (1 - constant)
    line = torch.stack([constant, rest, 1 - constant - rest], 2)
    return torch.cat([line.roll(part, 2) for part in range(3)])


def inside(constraint: tain.Constraint, x: torch.Tensor) -> torch.Tensor:
    """The points of lines, NaN where they are not inside, or on the boundary."""
    flat = x.flatten(0, 1)
    nudged = torch.cat([flat + 1e-9 * step for step in torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])])
    deep = constraint.contains(nudged, 0.0).view(4, -1).all(0)
    return torch.where(deep[:, None], flat, torch.nan).view_as(x)


def image(function, x: torch.Tensor) -> torch.Tensor:
    """A function of points, applied to all that are numbers."""
    flat = x.flatten(0, 1)
    known = ~flat.isnan().any(1)
    y = function(flat[known])
    result = torch.full((len(flat), y.shape[1]), torch.nan, dtype=y.dtype)
    result[known] = y
    return result.view(*x.shape[:2], -1)


def draw(name: str, mirror: tain.MirrorMap, path: Path) -> None:
    constraint = mirror.constraint
    reach = 3.0
    if isinstance(constraint, Simplex):
        x = shares(9)
        x = torch.where((x > 1e-9).all(2, keepdim=True), x, torch.nan)
        y = image(mirror.forward, x)
        if y.shape[2] == 3:  # the plane of sum zero, seen from along (1, 1, 1)
            y = y @ (TERNARY - TERNARY.mean(0))
        left, right = x @ TERNARY, y
    elif isinstance(mirror, EuclideanProjection):  # the other way: any y goes to the nearest point of the set
        right = lines(-2, 2, 9)
        left = image(mirror.inverse, right)
    else:
        low, high = (0.0, 1.0) if constraint is unit else (0.0, 2.0) if constraint is orthant else (-2.0, 2.0)
        if isinstance(constraint, Ball | Polytope):
            low, high = -1.3, 1.3
        left = inside(constraint, lines(low, high, 23))
        right = image(mirror.forward, left)
    figure, (primal, dual) = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    colours = plt.get_cmap("viridis")(torch.linspace(0, 0.9, len(left)).numpy())
    for panel, curves, title in ((primal, left, "set"), (dual, right, "mirror space")):
        for curve, colour in zip(curves, colours, strict=True):
            panel.plot(*curve.T.numpy(), color=colour, linewidth=0.8)
        panel.set_aspect("equal")
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=7)
    if not isinstance(mirror, EuclideanProjection):
        if isinstance(constraint, Box | Orthant | Simplex | Ball | Ellipsoid | Polytope):
            reach = 6.0 if not name.endswith("power") else 4.0
        dual.set_xlim(-reach, reach)
        dual.set_ylim(-reach, reach)
    figure.savefig(path, dpi=75, metadata={"Software": None})
    plt.close(figure)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, mirror in MAPS.items():
        draw(name, mirror, folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "maps")
