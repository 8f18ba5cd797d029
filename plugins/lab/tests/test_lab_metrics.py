"""Metrics against their definitions."""

import pytest
import torch
from hypothesis import given, strategies as st

import tain
from tain_lab.features import features, pooling
from tain_lab.metrics import DISTANCES, compare, energy, keep_rule, mmd, sinkhorn, sliced

seeds = st.integers(0, 2**32)


def normal(seed, n=60, c=3, shift=0.0):
    return torch.randn(n, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


@pytest.mark.parametrize("name", DISTANCES)
@given(seed=seeds)
def test_distances_are_zero_at_home_symmetric_and_grow_with_a_shift(name, seed):
    distance = DISTANCES[name]
    x, y = normal(seed), normal(seed + 1)
    assert distance(x, x.clone()) == pytest.approx(0, abs=1e-6)
    assert distance(x, x.flip(0)) == pytest.approx(0, abs=1e-6)
    assert distance(x, y) < distance(x, y + 1.0) < distance(x, y + 3.0)
    if name != "MMD":  # its kernel is as wide as the second set
        assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-6)


def test_energy_is_its_formula():
    x, y = normal(0), normal(1, n=40)
    between = torch.cdist(x, y).mean() - torch.cdist(x, x).mean() / 2 - torch.cdist(y, y).mean() / 2
    assert energy(x, y) == pytest.approx(between.item(), rel=1e-3)  # geomloss smooths distances below 1e-4


def test_sinkhorn_of_a_shift_is_half_its_square():
    x = normal(0)
    assert sinkhorn(x, x + torch.tensor([3.0, 0, 0])) == pytest.approx(4.5, rel=1e-3)


def test_sliced_of_a_shift_is_its_mean_projection():
    x = normal(0)
    # The mean of |first entry of a random direction| in three dimensions is 1/2.
    assert sliced(x, x + torch.tensor([1.0, 0, 0])) == pytest.approx(0.5, rel=0.1)


def test_mmd_of_far_sets_is_the_norm_of_both():
    x = normal(0, n=500)
    assert mmd(x, x + 100) == pytest.approx(mmd(x - 100, x), rel=1e-6)
    assert 0.5 < mmd(x, x + 100) < 2**0.5


def test_compare_is_fair_and_deterministic():
    data, test = normal(0, n=300), normal(1, n=100)
    candidates = {"same": normal(2, n=1000), "far": normal(3, n=1000, shift=0.5), "real": data}
    figures, again = (compare(candidates, test, repeats=5) for _ in range(2))
    assert figures == again
    for by_candidate in figures.values():
        assert {c.rows for c in by_candidate.values()} == {100}
        assert by_candidate["far"].median > 1.5 * by_candidate["real"].median
        assert by_candidate["same"].median == pytest.approx(by_candidate["real"].median, rel=0.5)
        assert all(c.low <= c.median <= c.high for c in by_candidate.values())


def test_units_do_not_matter_and_constant_columns_are_allowed():
    data, test = normal(0), normal(1)
    scale = torch.tensor([1.0, 1000.0, 1e-3])
    plain, scaled = compare({"a": data}, test, repeats=2), compare({"a": data * scale}, test * scale, repeats=2)
    assert plain["energy distance"]["a"].median == pytest.approx(scaled["energy distance"]["a"].median, rel=1e-6)
    data[:, 0] = test[:, 0] = 7.0
    assert compare({"a": data}, test, repeats=2)["MMD"]["a"].median < 1


def test_in_one_unit_a_column_that_hardly_varies_counts_for_little():
    data, test = normal(0), normal(1)
    scale = torch.tensor([1.0, 1.0, 1e-3])
    shifted = (data + torch.tensor([0.0, 0.0, 3.0])) * scale
    each, one = (
        compare({"a": data * scale, "b": shifted}, test * scale, repeats=2, one_unit=unit)["MMD"]
        for unit in (False, True)
    )
    assert each["b"].median > 2 * each["a"].median
    assert one["b"].median == pytest.approx(one["a"].median, rel=0.05)


def test_images_are_averaged_over_squares_until_few_numbers_are_left():
    images = torch.rand(5, 2, 64, 48, generator=torch.Generator().manual_seed(0))
    rows = features(images)
    assert pooling((2, 64, 48)) == 4
    assert rows.shape == (5, 2 * 16 * 12)
    assert rows[3, 16 * 12 + 12].item() == pytest.approx(images[3, 1, 4:8, :4].mean().item(), rel=1e-5)
    assert torch.equal(features(images[:, :, :8, :8]), images[:, :, :8, :8].flatten(1))
    assert torch.equal(features(images[:, 0, 0]), images[:, 0, 0])


def test_rule_report_counts_nan_as_outside():
    @tain.constraint("test-positive", event_ndim=1)
    def positive(x):
        return (-x).relu().sum(1)

    report = keep_rule(torch.tensor([[1.0], [-2.0], [0.0], [float("nan")]]), positive)
    assert (report.count, report.outside) == (4, 0.5)
