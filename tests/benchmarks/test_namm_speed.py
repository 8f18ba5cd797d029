"""What a training step of a learned mirror map costs: the paper's networks, and those for a laptop.

    pytest -m benchmark tests/benchmarks/test_namm_speed.py

Run it with nothing else on the machine. Plain float32 and bfloat16 are taken by turns, so that what else the machine
does falls on both, and the rate of matrix products is measured in between. Images are in channels-last layout in both.
"""

import statistics
import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import tain
from tain_namm import LAPTOP, PAPER, NeuralMirrorMap

ROUNDS = 3


class Total(tain.Constraint):
    """Images whose entries add up to 120."""

    event_ndim = 3

    def distance(self, x):
        return (x.flatten(1).sum(1) - 120).abs()


def product_rate(dtype):
    """Operations a second in products of 2048 x 2048 matrices."""
    a = torch.randn(2048, 2048).to(dtype)
    a @ a
    started = time.perf_counter()
    for _ in range(3):
        a @ a
    return 3 * 2 * 2048**3 / (time.perf_counter() - started)


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("name", "size", "batch", "steps", "settings"),
    [
        ("paper", 64, 16, 1, PAPER["burgers"].mirror),
        ("laptop", 32, 32, 10, LAPTOP["burgers"].mirror),
        ("laptop, periodic", 32, 32, 10, LAPTOP["periodic"].mirror),
    ],
)
def test_training_step(name, size, batch, steps, settings, capsys):
    mirror = NeuralMirrorMap(Total(), (1, size, size), **settings)
    x = torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(mirror.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def step(dtype):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = mirror.loss(x, rng=0).mean()
        loss.backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step(torch.float32)
    step(torch.bfloat16)
    seconds = {torch.float32: [], torch.bfloat16: []}
    rates = {dtype: [] for dtype in seconds}
    for _ in range(ROUNDS):
        for dtype, times in seconds.items():
            rates[dtype].append(product_rate(dtype))
            started = time.perf_counter()
            for _ in range(steps):
                step(dtype)
            times.append((time.perf_counter() - started) / steps)
    ratios = [plain / rough for plain, rough in zip(*seconds.values(), strict=True)]
    with capsys.disabled():
        weights = sum(weight.numel() for weight in mirror.parameters())
        print(f"\n{name}, {size} x {size}, batch {batch}, {torch.get_num_threads()} threads, {weights} weights")
        for dtype, times in seconds.items():
            median, rate = statistics.median(times), statistics.median(rates[dtype])
            share = counter.get_total_flops() / median / rate
            print(f"    {dtype}: {median:.3f} s a step, {1 / median:.1f} steps/s, {share:.0%} of the rate of products")
        print(f"    float32 / bfloat16: {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}")
