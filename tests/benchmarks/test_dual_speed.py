"""What a step of dual training costs beside a plain one: with m constraints at most (1 + m) times 1.15.

    pytest -m benchmark tests/benchmarks/test_dual_speed.py

Run it with nothing else on the machine. Plain and dual trainings are taken by turns, so that what else the machine does
falls on both; the ratios are of trainings that follow each other, and what is printed and required is their median.
"""

import copy
import itertools
import statistics
import time

import pytest
import torch

import tain
from tain_diffusion import ImageDiffusion, VectorDiffusion
from tain_dual import DualTraining
from tain_lab import Settings, fit

ROUNDS = 7


def vectors():
    return VectorDiffusion((5,), width=128, blocks=3), (5,), Settings(steps=60, batch=256)


def images():
    return ImageDiffusion((1, 28, 28), channels=(16, 32)), (1, 28, 28), Settings(steps=6, batch=32)


@pytest.mark.benchmark
@pytest.mark.parametrize("constraints", [1, 3])
@pytest.mark.parametrize("make", [vectors, images])
def test_a_dual_step_beside_a_plain_one(make, constraints, capsys):
    model, shape, settings = make()
    rng = torch.Generator().manual_seed(0)
    data, *against = (torch.randn(1200, *shape, generator=rng) for _ in range(1 + constraints))
    problem = tain.Fit(data, model, against, [0.1] * constraints)
    solver = DualTraining(reference=(0.0,) * constraints, warmup=0, every=2)

    def seconds(name):
        ticks = []

        def tick():
            ticks.append(time.perf_counter())

        if name == "plain":
            fit(copy.deepcopy(model), data, settings, progress=False, after_step=lambda _: tick())
        else:
            solver.solve(problem, settings, rng=0, callback=lambda _: tick())
        return statistics.median(after - before for before, after in itertools.pairwise(ticks))

    times = {name: [] for name in ("plain", "dual")}
    for _ in range(ROUNDS):
        for name, taken in times.items():
            taken.append(seconds(name))
    ratios = [dual / alone for alone, dual in zip(*times.values(), strict=True)]
    ratio, limit = statistics.median(ratios), 1.15 * (1 + constraints)
    with capsys.disabled():
        told = ", ".join(f"{name} {1000 * statistics.median(taken):.2f} ms" for name, taken in times.items())
        print(
            f"\n{make.__name__}, {constraints} constraints, {torch.get_num_threads()} threads: {told} a step, ", end=""
        )
        print(f"ratios {min(ratios):.2f} to {max(ratios):.2f}, median {ratio:.2f}, at most {limit:.2f}")
    assert ratio <= limit
