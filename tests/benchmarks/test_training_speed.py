"""What `fit` costs beyond the bare loop it stands for, and sampling beyond the bare network.

    pytest -m benchmark tests/benchmarks/test_training_speed.py

Run it with nothing else on the machine. Each pair is a group: the ratio of its medians is the figure that matters.
"""

import pytest
import torch

from tain_diffusion import VectorDiffusion
from tain_lab import Settings, fit

STEPS, BATCH, ROWS = 100, 256, 2048


def model():
    return VectorDiffusion(event_shape=(5,), width=128, blocks=3)


@pytest.fixture
def data():
    return torch.randn(1215, 5, generator=torch.Generator().manual_seed(0))


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
