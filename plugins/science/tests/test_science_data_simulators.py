"""The simulators: their data obey the rules at the solvers' precision, and each row is on its own."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain_science.data import BurgersTrajectories, Crescents, KolmogorovFlow, PeriodicCells, RadioGalaxies
from tain_science.data.streams import normal, row_streams, seed_of

SMALL = {
    "crescents": lambda: Crescents(size=24),
    "burgers": lambda: BurgersTrajectories(points=24, snapshots=8),
    "burgers, thin": lambda: BurgersTrajectories(viscosity=0.05, points=32, snapshots=6),
    "flow": lambda: KolmogorovFlow(size=12, snapshots=2, spin_up=0.5),
    "cells": lambda: PeriodicCells(tiles=(2, 3), cell=8),
    "galaxies": lambda: RadioGalaxies(size=32),
}
each = pytest.mark.parametrize("name", SMALL)
RULED = [name for name in SMALL if name != "galaxies"]  # whose rule is a network's word


@each
def test_the_rows_have_the_shape_that_was_asked_for(name):
    simulator = SMALL[name]()
    rows = simulator.simulate(3, rng=0)
    assert rows.shape == (3, *simulator.event_shape)
    assert rows.dtype == torch.float32
    assert bool(rows.isfinite().all())
    assert rows.std() > 0.05


@pytest.mark.parametrize("name", RULED)
def test_the_rows_obey_the_rule(name):
    simulator = SMALL[name]()
    rows = simulator.simulate(6, rng=1)
    constraint = simulator.constraint
    constraint.require(rows)
    assert constraint.distance(rows.double()).max() <= 2e-7 * rows.abs().max()  # the rounding to single precision
    spoiled = rows.clone()
    spoiled[:, 0, 0, 0] += 1e-2
    assert not bool(constraint.contains(spoiled).any())


@settings(deadline=None, derandomize=True, max_examples=15)
@given(name=st.sampled_from(list(SMALL)), row=st.integers(0, 70), before=st.integers(0, 5), after=st.integers(0, 5))
def test_a_row_is_the_same_whatever_is_made_beside_it(name, row, before, after):
    simulator = SMALL[name]()
    first = max(0, row - before)
    several = simulator.simulate(row - first + 1 + after, rng=3, first=first)
    assert several[row - first].equal(simulator.simulate(1, rng=3, first=row)[0])


@each
def test_rows_differ_from_each_other_and_from_those_of_another_seed(name):
    simulator = SMALL[name]()
    rows, others = (simulator.simulate(4, rng=seed) for seed in (0, 1))
    assert torch.pdist(torch.cat([rows, others]).flatten(1)).min() > 0.1


def test_many_rows_are_made_in_parts():
    simulator = PeriodicCells(cell=4)
    assert simulator.simulate(300, rng=5)[150:].equal(simulator.simulate(150, rng=5, first=150))


def test_a_generator_of_numbers_gives_a_seed_and_moves_on():
    rng = torch.Generator().manual_seed(0)
    first, second = seed_of(rng), seed_of(rng)
    assert first != second
    simulator = Crescents(size=16)
    rows = simulator.simulate(2, rng=torch.Generator().manual_seed(0))
    assert rows.equal(simulator.simulate(2, rng=first))
    assert not simulator.simulate(2).equal(simulator.simulate(2))


def test_the_global_state_of_torch_is_left_alone():
    before = torch.get_rng_state()
    Crescents(size=16).simulate(2)
    RadioGalaxies(size=16).simulate_counted(2)
    assert torch.get_rng_state().equal(before)


def test_streams_of_near_seeds_and_rows_are_independent():
    draws = torch.cat([normal(row_streams(seed, range(8)), 2000) for seed in (0, 1)])
    correlation = torch.corrcoef(draws) - torch.eye(16, dtype=torch.float64)
    assert correlation.abs().max() < 0.1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Crescents(size=4), "Crescents: 'size' is 4 pixels, but must be at least 8 pixels"),
        (lambda: Crescents(totl=1.0), "unknown key 'totl'. Did you mean: total?"),
        (lambda: PeriodicCells(length=(2.0, 1.0)), "'length' is (2.0, 1.0), but the first must not exceed"),
        (lambda: PeriodicCells(phase=(0.2, 1.0)), "must be below 1"),
        (lambda: BurgersTrajectories(viscosity=0), "'viscosity' is 0.0, but must be above 0"),
        (lambda: KolmogorovFlow(size=33), "'size' is 33, but must be even"),
        (lambda: KolmogorovFlow(size=8), "'wavenumber' is 4, but must be below 4 for size 8"),
        (lambda: RadioGalaxies(sources=(9, 8)), "'sources' is (9, 8), but the first must not exceed"),
        (lambda: RadioGalaxies(size=32, sources=(7, 8)).constraint, "Give one number twice, as in sources=[8, 8]"),
        (lambda: Crescents().simulate(0), "n is 0, but must be at least 1"),
        (lambda: Crescents().simulate(1, first=-1), "first is -1, but must be at least 0"),
    ],
)
def test_a_mistake_is_named(make, says):
    with pytest.raises(tain.ConfigurationError) as caught:
        make()
    assert says in str(caught.value)
