"""What the images of crescents, cells and galaxies, and the initial states, must show."""

import math

import pytest
import torch

from tain_science.data import BurgersTrajectories, Crescents, PeriodicCells, RadioGalaxies
from tain_science.data.streams import row_streams


@pytest.mark.parametrize("total", [0.5, 120.0, 1e4])
def test_crescents_are_positive_and_sum_to_their_total(total):
    images = Crescents(size=32, total=total).simulate(50, rng=0)
    assert images.min() >= 0
    missing = images.double().sum((1, 2, 3)) - total
    assert bool((missing.abs() <= torch.finfo(torch.float32).eps * images.amax((1, 2, 3))).all())


def test_crescents_are_seen_from_many_angles():
    """Where the light's centre lies: off the image's in crescents, all around, and near it in some rings."""
    images = Crescents(size=32, noise=0.0).simulate(200, rng=0)[:, 0].double()
    line = torch.linspace(-1, 1, 32, dtype=torch.float64)
    x, y = ((images * place).sum((1, 2)) / images.sum((1, 2)) for place in (line, line[:, None]))
    off = torch.hypot(x, y)
    assert off.max() > 0.25
    assert off.min() < 0.05
    quadrants = torch.stack([(x > 0) & (y > 0), (x > 0) & (y < 0), (x < 0) & (y > 0), (x < 0) & (y < 0)])
    assert quadrants.double().mean(1).min() > 0.15


def test_the_middle_of_a_ring_is_dark():
    images = Crescents(size=64, noise=0.0).simulate(50, rng=1)[:, 0]
    brightest = images.amax((1, 2))
    darkest = images[:, 24:40, 24:40].amin((1, 2))  # somewhere in the shadow
    assert bool((darkest < 0.1 * brightest).all())


def test_cells_have_two_phases_in_shares_within_their_limits():
    images = PeriodicCells(cell=16, phase=(0.3, 0.5)).simulate(100, rng=0)
    assert set(images.unique().tolist()) == {0.0, 1.0}
    shares = images.mean((1, 2, 3))
    assert shares.min() >= 0.3 - 1 / 256
    assert shares.max() <= 0.5 + 1 / 256
    assert shares.std() > 0.03


def test_cells_fit_to_themselves_across_their_borders():
    """A step across the border changes the phase as seldom as one inside."""
    images = PeriodicCells(cell=32).simulate(200, rng=0)[:, 0]
    changes = (images.diff(dim=2) != 0).double().mean((0, 1))
    border, inside = changes[31], changes[:31].mean()
    assert border == pytest.approx(inside.item(), rel=0.3)


def test_initial_states_have_the_covariance_of_the_process():
    simulator = BurgersTrajectories(points=64, snapshots=2, every=1, correlation=1.0)
    states = simulator.simulate(1500, rng=0)[:, 0, 0].double()
    assert states.mean().abs() < 0.05
    spacing = 10 / 64
    for apart in (0, 3, 10):
        measured = (states * states.roll(apart, 1)).mean()
        ratio = math.sqrt(3) * apart * spacing
        assert measured == pytest.approx((1 + ratio) * math.exp(-ratio), abs=0.04)  # the nearest image is far


def test_each_source_is_above_the_noise_and_apart_from_the_others():
    simulator = RadioGalaxies(size=64, sources=(6, 10), snr=15.0)
    images, counts, centres = simulator.simulate_counted(100, rng=0)
    assert sorted(counts.unique().tolist()) == [6, 7, 8, 9, 10]
    noise = 10 ** (-30 / 20)
    # The noise alone, at places far from every source: its deviation is as told.
    streams = row_streams(0, range(200))
    assert simulator._noise(streams).std() == pytest.approx(1, rel=0.05)
    for places in centres:
        assert torch.pdist(places).min() >= simulator.apart
    # The faintest source is 15 dB above the noise, so that with noise its peak is above 5.6 - 3 deviations.
    assert bool((images.amax((1, 2, 3)) > 2.6 * noise).all())


def test_sources_are_where_it_says_and_nowhere_else():
    """With 80 dB of signal: a peak of at least -15 dB within a source's radius, and darkness out of their reach."""
    simulator = RadioGalaxies(size=96, sources=(3, 8), snr=80.0)
    images, counts, centres = simulator.simulate_counted(10, rng=0)
    line = torch.arange(96, dtype=torch.float64) + 0.5
    for image, count, places in zip(images[:, 0], counts.tolist(), centres, strict=True):
        away = torch.hypot(line - places[:count, 0, None, None], line[:, None] - places[:count, 1, None, None])
        peaks = torch.where(away < simulator.apart / 2, image, 0.0).amax((1, 2))
        assert peaks.min() > 0.17
        assert image[(away > 0.9 * simulator.apart).all(0)].max() < 0.05
        assert image.max() <= 1.001
