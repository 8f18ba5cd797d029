"""What each map of tain-analytic costs a sample: the table of `docs/reference/which-map.md`.

    OMP_NUM_THREADS=1 python tests/benchmarks/map_costs.py

Prints Markdown: microseconds a sample of forward, inverse and log_det, medians of 9 rounds in float32, at 16
numbers a sample (matrices: 5 x 5) in batches of 10,000. Run it with nothing else on the machine.
"""

import statistics
import time

import torch

import tain
from tain_analytic import (
    AffineSubspace,
    Ball,
    BallBarrier,
    Box,
    BoxBarrier,
    BoxEntropy,
    Correlation,
    Ellipsoid,
    EllipsoidBarrier,
    EuclideanProjection,
    L1Ball,
    LogDeterminant,
    Ordered,
    OrderedEntropy,
    PartialCorrelations,
    Polytope,
    PolytopeBarrier,
    PositiveDefinite,
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
    VonNeumannEntropy,
)

N, ROWS = 16, 10_000


def polytope() -> Polytope:
    A = torch.randn(3 * N, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Polytope(A, A.norm(dim=1))


def maps() -> dict[str, tain.MirrorMap]:
    box = Box((0.0,) * N, (1.0,) * N)
    rows = torch.linalg.qr(torch.randn(N, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q.mT
    slabs, cone = Slabs(rows, (-1.0,) * 4, (1.0,) * 4), SecondOrderCone(N)
    return {
        "`SimplexEntropy`, isometric": SimplexEntropy(Simplex(N)),
        "`SimplexEntropy`, additive": SimplexEntropy(Simplex(N), "additive"),
        "`SimplexSoftmax`": SimplexSoftmax(Simplex(N)),
        "`BoxEntropy`": BoxEntropy(box),
        "`BoxBarrier`": BoxBarrier(box),
        "`BoxBarrier`, power 1/2": BoxBarrier(box, power=0.5),
        "`SlabsEntropy`, 4 directions": SlabsEntropy(slabs),
        "`SlabsBarrier`, 4 directions": SlabsBarrier(slabs),
        "`BallBarrier`": BallBarrier(Ball(N, 1.0)),
        "`BallBarrier`, power 1/2": BallBarrier(Ball(N, 1.0), power=0.5),
        "`EllipsoidBarrier`": EllipsoidBarrier(Ellipsoid(torch.eye(N) + 0.1)),
        "`SecondOrderConeEntropy`": SecondOrderConeEntropy(cone),
        "`SecondOrderConeBarrier`": SecondOrderConeBarrier(cone),
        "`SecondOrderConeBarrier`, power 1/2": SecondOrderConeBarrier(cone, power=0.5),
        "`OrderedEntropy`": OrderedEntropy(Ordered(N)),
        "`PolytopeBarrier`, 48 rows": PolytopeBarrier(polytope()),
        "`VonNeumannEntropy`": VonNeumannEntropy(PositiveDefinite(5)),
        "`LogDeterminant`": LogDeterminant(PositiveDefinite(5)),
        "`PartialCorrelations`": PartialCorrelations(Correlation(5)),
        "`EuclideanProjection`, `AffineSubspace`": EuclideanProjection(AffineSubspace(rows, torch.ones(4))),
        "`EuclideanProjection`, `Simplex`": EuclideanProjection(Simplex(N)),
        "`EuclideanProjection`, `L1Ball`": EuclideanProjection(L1Ball(N, 1.0)),
        "`EuclideanProjection`, `Sphere`": EuclideanProjection(Sphere(N, 1.0)),
    }


def microseconds(function) -> str:
    function()
    times = []
    for _ in range(9):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return f"{1e6 * statistics.median(times) / ROWS:.2f}"


def main() -> None:
    print("| map | forward | inverse | log_det |\n| --- | ---: | ---: | ---: |")
    for name, mirror in maps().items():
        rule = mirror.constraint
        if isinstance(rule, tain.Interior):
            x = rule.interior(ROWS, rng=0)
        else:
            x = rule.project(torch.randn(ROWS, N, generator=torch.Generator().manual_seed(0)))
        y = mirror(x)
        y = y + 0.1 * torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        log_det = microseconds(lambda m=mirror, x=x: m.log_det(x)) if isinstance(mirror, tain.Bijective) else ""
        forward, inverse = microseconds(lambda m=mirror, x=x: m(x)), microseconds(lambda m=mirror, y=y: m.inverse(y))
        print(f"| {name} | {forward} | {inverse} | {log_det} |")


if __name__ == "__main__":
    with torch.no_grad():
        main()
