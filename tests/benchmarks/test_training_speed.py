"""What `fit` costs beyond the bare loop it stands for and beside a plain one, and sampling beyond the bare network.

    pytest -m benchmark tests/benchmarks/test_training_speed.py

Run it with nothing else on the machine. Each pair is a group: the ratio of its medians is the figure that matters.
The first test takes both sides by turns, so that what else the machine does falls on both, and prints the ratios.
"""

import statistics
import time

import attrs
import pytest
import torch

from tain_diffusion import VectorDiffusion
from tain_lab import Settings, fit

STEPS, BATCH, ROWS, ROUNDS = 100, 256, 2048, 7


def model():
    return VectorDiffusion(event_shape=(5,), width=128, blocks=3)


@pytest.fixture
def data():
    return torch.randn(1215, 5, generator=torch.Generator().manual_seed(0))


def plain_loop(trained, data, steps, batch):
    """As a first program is written: AdamW as it comes, an average of the weights one after the other."""
    trained.prepare(data)
    averages = [parameter.detach().clone() for parameter in trained.parameters()]
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3)
    rng = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(data), (batch,), generator=rng)
        optimizer.zero_grad()
        trained.loss(data[rows], rng=rng).mean().backward()
        optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(averages, trained.parameters(), strict=True):
                average.mul_(0.999).add_(parameter, alpha=0.001)


@pytest.mark.benchmark
@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("width", "batch"), [(208, 512), (64, 256)])
def test_fit_beside_a_plain_loop(data, width, batch, precision, compiles, capsys):
    settings = Settings(steps=STEPS, batch=batch, compile=compiles, precision=precision)
    models = [VectorDiffusion(event_shape=(5,), width=width, blocks=4) for _ in range(2 * ROUNDS + 2)]
    weights = sum(parameter.numel() for parameter in models[0].parameters())
    sides = {
        "plain loop": lambda: plain_loop(models.pop(), data, STEPS, batch),
        "fit": lambda: fit(models.pop(), data, settings, progress=False),
    }
    seconds = {name: [] for name in sides}
    fit(models[0], data, attrs.evolve(settings, steps=5), progress=False)  # compiles, for this process
    plain_loop(models[1], data, 5, batch)
    for _ in range(ROUNDS):
        for name, train in sides.items():
            started = time.perf_counter()
            train()
            seconds[name].append(time.perf_counter() - started)
    ratios = [plain / ours for plain, ours in zip(*seconds.values(), strict=True)]
    with capsys.disabled():
        print(f"\n{weights} weights, batch {batch}, {torch.get_num_threads()} threads, {precision}", end="")
        print(", compiled" if compiles else "", end=": ")
        for name, times in seconds.items():
            print(f"{name} {STEPS / statistics.median(times):.1f} steps/s", end=", ")
        print(f"ratios {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}")


@pytest.mark.benchmark(group="100 training steps")
def test_fit(benchmark, data):
    settings = Settings(steps=STEPS, batch=BATCH)
    benchmark.pedantic(lambda: fit(model(), data, settings, progress=False), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="100 training steps")
def test_bare_loop(benchmark, data):
    def loop():
        trained = model()
        optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-3, fused=True)
        rng = torch.Generator().manual_seed(0)
        for _ in range(STEPS):
            batch = data[torch.randint(len(data), (BATCH,), generator=rng)]
            optimizer.zero_grad()
            trained.loss(batch, rng=rng).mean().backward()
            optimizer.step()

    benchmark.pedantic(loop, rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="samples in 30 evaluations")
def test_sample(benchmark):
    trained = model()
    benchmark.pedantic(lambda: trained.sample(ROWS, rng=0), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="samples in 30 evaluations")
def test_bare_network(benchmark):
    trained = model()

    @torch.no_grad()
    def evaluate():
        z, t = torch.zeros(ROWS, 5), torch.zeros(ROWS)
        for _ in range(30):
            trained.network(z, t)

    benchmark.pedantic(evaluate, rounds=7, warmup_rounds=1)
