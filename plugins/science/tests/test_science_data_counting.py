"""Training of the counter, in small: it learns, it is the same again, and it makes the rule."""

import pytest
import torch

import tain
from tain_science import Count
from tain_science.data import RadioGalaxies, train_counter


@pytest.fixture(scope="module")
def counter():
    return train_counter(16, sources=(1, 3), rows=400, held_out=100, steps=200, width=8, snr=30.0, seed=1)


def test_it_learns_to_count(counter):
    untrained = train_counter(16, sources=(1, 3), rows=1, held_out=100, steps=1, width=8, snr=30.0, seed=1)
    assert counter.accuracy > 0.8 > untrained.accuracy
    assert counter.error < 0.5
    assert counter.seconds > 0


def test_its_accuracy_is_that_on_images_it_was_not_trained_on(counter):
    images, counts, _ = RadioGalaxies(16, (1, 3), snr=30.0).simulate_counted(100, rng=1, first=400)
    with torch.no_grad():
        right = (counter.network(images) - counts).abs() < 0.5
    assert right.double().mean().item() == pytest.approx(counter.accuracy)


def test_the_same_seed_gives_the_same_network():
    one, again = (train_counter(16, sources=(1, 2), rows=64, held_out=8, steps=3, seed=4).network for _ in range(2))
    other = train_counter(16, sources=(1, 2), rows=64, held_out=8, steps=3, seed=5).network
    for a, b, c in zip(one.parameters(), again.parameters(), other.parameters(), strict=True):
        assert a.equal(b)
        assert c.ndim == 1 or not a.equal(c)


def test_the_rule_is_what_the_network_says(counter):
    rule = Count(counter.network, 2)
    images, counts, _ = RadioGalaxies(16, (1, 3), snr=30.0).simulate_counted(60, rng=7)
    distance = rule.distance(images).detach()
    assert distance[counts == 2].mean() < 0.5 < distance[counts != 2].mean()


def test_bad_settings_are_named():
    with pytest.raises(tain.ConfigurationError, match="'steps' is 0, but must be at least 1"):
        train_counter(16, steps=0)
    with pytest.raises(tain.ConfigurationError, match="'learning_rate' is 0, but must be above 0"):
        train_counter(16, learning_rate=0)
