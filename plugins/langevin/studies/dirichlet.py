"""Effective samples a second on a Dirichlet density of 20 shares with concentrations from 0.1 to 1.

    OMP_NUM_THREADS=1 python plugins/langevin/studies/dirichlet.py

Each solver runs 16 chains. Time is processor time, pilots and warm-up included. Beside the least effective sample size
of the 20 shares stand the largest split R-hat, without which it means nothing, and the largest error of a share's mean,
in its own deviation. Projected Langevin dynamics need a step size; several are tried. Since the density's gradient is
infinite at the boundary, on which most of their draws lie, it is taken a hundredth of the way inside as well.
"""

import time

import torch

import tain
from tain_analytic import Simplex, SimplexEntropy
from tain_langevin import DualLangevin, HitAndRun, MarkovChains, MirrorLangevin, ProjectedLangevin

PARTS, CHAINS, DRAWS, WARMUP = 20, 16, 4000, 1000
CONCENTRATIONS = torch.linspace(0.1, 1.0, PARTS, dtype=torch.float64)
SIMPLEX = Simplex(PARTS)
START = SIMPLEX.interior(CHAINS, rng=0, dtype=torch.float64)
TARGET = tain.Target(lambda x: ((CONCENTRATIONS - 1) * x.log()).sum(1), SimplexEntropy(SIMPLEX))


def line(name: str, solver: MarkovChains) -> float:
    """Run a solver, print its figures, and tell its effective samples a second: 0 where chains do not agree."""
    began = time.process_time()
    found = solver.solve(TARGET, rng=0)
    seconds = time.process_time() - began
    SIMPLEX.require(found.result)
    mean = CONCENTRATIONS / CONCENTRATIONS.sum()
    deviation = (mean * (1 - mean) / (CONCENTRATIONS.sum() + 1)).sqrt()
    error = float(((found.result.mean(0) - mean) / deviation).abs().max())
    effective = float(found.statistics["effective_samples"].min())
    r_hat = float(found.statistics["split_r_hat"].max())
    rate, refused = effective / seconds, int(found.statistics["refused"].sum())
    print(f"{name:40} {seconds:7.1f} {effective:10.0f} {rate:8.1f} {r_hat:8.3f} {error:8.3f} {refused:9}", flush=True)
    return rate if r_hat < 1.1 else 0.0


def main() -> None:
    plan = {"chains": CHAINS, "draws": DRAWS, "warmup": WARMUP, "start": START}
    print(f"{'solver':40} {'seconds':>7} {'effective':>10} {'a second':>8} {'R-hat':>8} {'error':>8} {'refused':>9}")
    dual = line("dual-langevin", DualLangevin(**plan))
    line("dual-langevin, no covariance", DualLangevin(**plan, preconditioned=False))
    line("mirror-langevin", MirrorLangevin(**plan))
    line("hit-and-run", HitAndRun(**plan))
    projected = []
    for inset in (0.0, 0.01):
        for h in (1e-6, 1e-5, 1e-4, 1e-3):
            name = f"projected-langevin, h {h:g}, inset {inset:g}"
            projected.append(line(name, ProjectedLangevin(h, inset=inset, **plan)))
    best = max(projected)
    print(f"dual-langevin {dual:.1f} a second; the best projected-langevin whose R-hat is below 1.1: {best:.1f}")


if __name__ == "__main__":
    main()
