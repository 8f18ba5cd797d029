"""What the inverse of a polytope's log barrier costs, beside `scipy.optimize` called once for each point.

    OMP_NUM_THREADS=1 pytest -m benchmark tests/benchmarks/test_polytope_speed.py -s

Prints the time a point of 10,000 inverses at d = 20, m = 60, of three methods of scipy for the same objective with its
gradient (and Hessian), started at the same centre, for a few of the same points, and the ratios; the steps and the
residuals of both sizes of the issue; and the cost against the size of the batch. Nothing is asserted about time.
"""

import time
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from tain_analytic import Polytope, PolytopeBarrier
from tain_analytic.newton import solve

pytestmark = pytest.mark.benchmark
POINTS = 10_000


def random_polytope(d=20, m=60):
    rng = torch.Generator().manual_seed(0)
    A = torch.randn(m, d, generator=rng, dtype=torch.float64)
    return Polytope(A, A.norm(dim=1) * (0.5 + torch.rand(m, generator=rng, dtype=torch.float64)))


def balanced_flows(n=95, k=67):
    rng = torch.Generator().manual_seed(0)
    C, eye = torch.randn(k, n, generator=rng, dtype=torch.float64), torch.eye(n, dtype=torch.float64)
    bounds = torch.cat([torch.zeros(n), torch.full((n,), 5.0)])
    return Polytope(torch.cat([-eye, eye]), bounds, C, C @ (1 + torch.rand(n, generator=rng, dtype=torch.float64)))


def images(mirror, n):
    return mirror(mirror.constraint.interior(n, rng=1, dtype=torch.float64))


def residuals(mirror, x, y):
    gradient = (mirror.weight / mirror.constraint.slack(x)) @ mirror.constraint._G
    return (gradient - y).norm(dim=1) / y.norm(dim=1)


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


@pytest.mark.parametrize("build", [random_polytope, balanced_flows])
def test_ten_thousand_inverses(benchmark, build):
    mirror = PolytopeBarrier(build())
    y = images(mirror, POINTS)
    x = benchmark.pedantic(mirror.inverse, args=(y,), rounds=3, warmup_rounds=1)
    residual, (_, _, steps) = residuals(mirror, x, y), solve(mirror._E, y @ mirror._back.mT)
    print(f"\n{build.__name__}: steps mean {steps.double().mean():.1f}, most {int(steps.max())};", end=" ")
    print(f"residual median {float(residual.median()):.1e}, largest {float(residual.max()):.1e};", end=" ")
    print(f"{benchmark.stats['min'] / POINTS * 1e6:.0f} us a point")
    assert residual.max() <= 1e-9
    assert steps.max() <= 25


def test_beside_scipy():
    mirror = PolytopeBarrier(random_polytope())
    y = images(mirror, POINTS)
    ours = min(seconds(lambda: mirror.inverse(y)) for _ in range(3)) / POINTS
    A, b, start = (v.numpy() for v in (mirror.constraint._G, mirror.constraint._h, mirror._center))

    def objective(x, y):
        s = b - A @ x
        return np.inf if s.min() <= 0 else -np.log(s).sum() - x @ y

    def slope(x, y):
        return A.T @ (1 / (b - A @ x)) - y

    def curvature(x, y):
        return A.T @ (A / (b - A @ x)[:, None] ** 2)

    print(f"\n{ours * 1e6:.0f} us a point, {POINTS} at once")
    methods = {
        "trust-constr": ({"hess": curvature}, 10),
        "Newton-CG": ({"hess": curvature, "options": {"xtol": 1e-12}}, 50),
        "BFGS": ({"options": {"gtol": 1e-9}}, 50),  # L-BFGS-B gives up at the first infinite value
    }
    for method, (extra, count) in methods.items():

        def run(method=method, extra=extra, count=count):
            rows = y[:count].numpy()
            return [minimize(objective, start, (row,), method=method, jac=slope, **extra).x for row in rows]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # infinite values outside, and a line search that ends at rounding
            begun = time.perf_counter()
            found = run()
            theirs = (time.perf_counter() - begun) / count
        residual = residuals(mirror, torch.from_numpy(np.stack(found)), y[:count])
        print(
            f"scipy {method:12} {theirs * 1e6:7.0f} us a point, {theirs / ours:6.1f} times ours; its residual: median "
            f"{float(residual.median()):.1e}, largest {float(residual.max()):.1e}"
        )


def test_cost_against_batch():
    mirror = PolytopeBarrier(random_polytope())
    y = images(mirror, 40_000)
    print()
    for count in (1, 10, 100, 1000, 10_000, 40_000):
        best = min(seconds(lambda count=count: mirror.inverse(y[:count])) for _ in range(3))
        print(f"batch {count:6}: {best * 1e3:9.2f} ms, {best / count * 1e6:8.1f} us a point")
