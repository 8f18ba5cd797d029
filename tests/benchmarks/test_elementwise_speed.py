"""What the maps of the simplex, the box and the ball cost, beside torch.distributions and a plain copy.

    pytest -m benchmark tests/benchmarks/test_elementwise_speed.py -s

For each map and dimension, 2^20 numbers in float32: the time of forward, inverse and log_det together, of the same
three by a chain of `torch.distributions` transforms (for the ball, which has none there, by its textbook formulas in
plain torch, which check nothing), and of copying the bytes that the three must at least read and write. All are timed
in turns in one run, and the medians compared. Nothing is asserted about time. Run it with nothing else on the machine.

Tensors of this size are just where glibc may hand each one back to the system, and fault its pages in again: that can
treble either side's time at random. With `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=4000000000` before the command it
keeps them.
"""

import statistics
import time

import pytest
import torch
from torch.distributions import transforms

from tain_analytic import Ball, BallBarrier, Box, BoxEntropy, Simplex, SimplexEntropy

pytestmark = pytest.mark.benchmark
NUMBERS = 2**20
ROUNDS = 31


def box(d, x):
    mirror = BoxEntropy(Box((-1.0,) * d, (2.0,) * d))
    x = 2.9 * x - 0.95
    chain = transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(torch.full((d,), -1.0), torch.full((d,), 3.0))]
    )
    return mirror, x, (chain.inv, chain, lambda y, x: -chain.log_abs_det_jacobian(y, x).sum(1)), chain.inv(x)


def simplex(d, x):
    mirror = SimplexEntropy(Simplex(d))
    x = x + 0.1
    x = x / x.sum(1, keepdim=True)
    chain = transforms.StickBreakingTransform()
    return mirror, x, (chain.inv, chain, lambda y, x: -chain.log_abs_det_jacobian(y, x)), chain.inv(x)


def ball(d, x):
    mirror = BallBarrier(Ball(d, 1.0))
    x = x - 0.5
    x = 0.9 * x / x.norm(dim=1, keepdim=True)

    def forward(x):
        return 2 * x / (1 - (x**2).sum(1, keepdim=True))

    def inverse(y):
        length = (y**2).sum(1, keepdim=True)
        return y * ((1 + length).sqrt() - 1) / length

    def log_det(y, x):
        square = (x**2).sum(1)
        return d * (2 / (1 - square)).log() + ((1 + square) / (1 - square)).log()

    return mirror, x, (forward, inverse, log_det), forward(x)


@pytest.mark.parametrize("d", [16, 256, 4096])
@pytest.mark.parametrize("build", [box, simplex, ball])
def test_forward_inverse_and_log_det(benchmark, build, d):
    x = torch.rand((NUMBERS // d, d), generator=torch.Generator().manual_seed(0))
    mirror, x, peer, z = build(d, x)
    y = mirror(x)
    source, target = torch.rand(3, NUMBERS), torch.empty(3, NUMBERS)

    def ours():
        mirror(x), mirror.inverse(y), mirror.log_det(x)

    def theirs():
        peer[0](x), peer[1](z), peer[2](z, x)

    def copy():  # of what the three read; forward and inverse write as much as they read, log_det hardly anything
        target[:2].copy_(source[:2])
        source[2].sum()

    with torch.no_grad():
        benchmark.pedantic(ours, rounds=3, warmup_rounds=1)
        times = [[], [], []]
        for _ in range(ROUNDS):
            for function, record in zip((ours, theirs, copy), times, strict=True):
                start = time.perf_counter()
                function()
                record.append(time.perf_counter() - start)
    mine, other, least = (statistics.median(record) for record in times)
    print(
        f"\n{build.__name__:8} d {d:5}: {1e3 * mine:6.2f} ms, peer {1e3 * other:6.2f} ms, {other / mine:4.1f} x;",
        end=" ",
    )
    print(f"a plain copy {1e3 * least:5.2f} ms, so {least / mine:.0%} of the memory's bandwidth", end=" ")
