"""What a step of DPS costs, beside one forward and one backward pass through denoiser, inverse map and operator.

    pytest -m benchmark tests/benchmarks/test_dps_speed.py -s

The two are timed in turns in one run, and the medians compared; the goal is a ratio of at most 1.3. A step includes the
noise, the guidance and all statistics. Nothing is asserted about time. Run it with nothing else on the machine.
"""

import itertools
import statistics
import time

import pytest
import torch

import tain
from tain_analytic import Simplex, SimplexEntropy
from tain_diffusion import ImageDiffusion, VectorDiffusion
from tain_dps import Downsample, MirrorDPS, Select
from tain_namm import LAPTOP, NeuralMirrorMap

ROUNDS, STEPS = 5, 10


class Total(tain.Constraint):
    """Images whose entries add up to 120."""

    event_ndim = 3

    def distance(self, x):
        return (x.flatten(1).sum(1) - 120).abs()


def shares():
    keep = torch.tensor([1.0] * 3 + [0.0] * 5)
    return tain.Mirrored(SimplexEntropy(Simplex(8)), VectorDiffusion((7,))), Select(keep), torch.full((512, 3), 0.1)


def images():
    prior = ImageDiffusion((1, 16, 16), channels=(16, 32))
    return prior, Downsample(4), torch.zeros(8, 1, 4, 4)


def learned():
    mirror = NeuralMirrorMap(Total(), (1, 16, 16), **LAPTOP["burgers"].mirror)
    return tain.Mirrored(mirror, ImageDiffusion((1, 16, 16), channels=(16, 32))), Downsample(4), torch.zeros(8, 1, 4, 4)


@pytest.mark.benchmark
@pytest.mark.parametrize("build", [shares, images, learned])
def test_step(benchmark, build):
    prior, operator, measurement = build()
    denoiser = prior.generator if isinstance(prior, tain.Mirrored) else prior
    inverse = prior.mirror.inverse if isinstance(prior, tain.Mirrored) else lambda y: y
    problem = tain.Posterior(measurement, operator, 0.1, prior)
    solver, ends = MirrorDPS(steps=STEPS), []

    def steps():
        ends.clear()
        solver.solve(problem, rng=0, callback=lambda _: ends.append(time.perf_counter()))

    y_t = torch.randn(len(measurement), *denoiser.event_shape).requires_grad_()
    times = torch.full((len(measurement),), 0.5)

    def passes():
        square = (measurement - operator(inverse(denoiser.denoise(y_t, times)))).square().sum()
        torch.autograd.grad(square, y_t)

    benchmark.pedantic(steps, rounds=1, warmup_rounds=1)
    ours, least = [], []
    for _ in range(ROUNDS):
        steps()
        ours += [after - before for before, after in itertools.pairwise(ends)]
        for _ in range(STEPS):
            started = time.perf_counter()
            passes()
            least.append(time.perf_counter() - started)
    mine, other = statistics.median(ours), statistics.median(least)
    print(
        f"\n{build.__name__:8} {1e3 * mine:7.2f} ms a step, {1e3 * other:7.2f} ms a pass: {mine / other:.2f}", end=" "
    )
