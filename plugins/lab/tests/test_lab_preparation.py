"""Preparation: rounding and the boundary are mended within the stated limits, everything else is refused."""

import numpy as np
import pytest
import torch

import tain
from tain_lab.preparation import prepare
from tain_lab.tables import Table


def table(rows):
    return Table(("a", "b", "c"), np.array(rows, dtype=np.float64))


GOOD = [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2], [0.25, 0.25, 0.5]]


@pytest.fixture
def shares(components):
    return tain.create("constraint", "test-shares", parts=3)


@pytest.fixture
def mirror(shares):
    return tain.catalogue.find("mirror-map", "test-log-ratio").target(shares)


def test_rounded_rows_are_put_back_and_counted(shares, mirror):
    data = prepare(table([*GOOD, [0.2002, 0.3, 0.5]]), shares, mirror, rounding=5e-4)
    rows = torch.cat((data.train, data.held_out))
    assert len(rows) == 5
    assert shares.contains(rows).all()
    assert data.treatment.off_set == 1
    assert data.treatment.largest_distance == pytest.approx(2e-4)


def test_a_row_farther_off_than_the_rounding_is_named(shares, mirror):
    with pytest.raises(
        tain.DataError, match=r"x\.csv: row 5 \(0\.2, 0\.1, 0\.5\) is off .* by 0\.2, more than .*0\.0005"
    ):
        prepare(table([*GOOD, [0.2, 0.1, 0.5]]), shares, mirror, rounding=5e-4, source="x.csv")


def test_a_negative_share_is_named(shares, mirror):
    with pytest.raises(tain.DataError, match=r"row 1 \(-0\.1, 0\.6, 0\.5\) is off"):
        prepare(table([[-0.1, 0.6, 0.5], *GOOD]), shares, mirror, rounding=5e-4)


def test_zeros_need_a_detection_limit(shares, mirror):
    rows = table([*GOOD, [0.0, 0.5, 0.5]])
    with pytest.raises(tain.DataError, match=r"row 5, column 'a' = 0 lies on the boundary.*detection_limit"):
        prepare(rows, shares, mirror)
    data = prepare(rows, shares, mirror, detection_limit=0.01)
    assert data.treatment.boundary_entries == {"a": 1, "b": 0, "c": 0}
    assert data.treatment.boundary_rows == 1
    smallest = torch.cat((data.train, data.held_out)).min().item()
    assert smallest == pytest.approx(0.65 * 0.01, rel=1e-2)
    assert torch.cat((data.train_as_measured, data.held_out_as_measured)).min() == 0


def test_a_rule_without_a_mirror_keeps_its_boundary(shares):
    data = prepare(table([*GOOD, [0.0, 0.5, 0.5]]), shares)
    assert torch.cat((data.train, data.held_out)).min() == 0


@pytest.mark.parametrize("rows", [[], GOOD[:1]])
def test_too_few_rows_are_refused(shares, mirror, rows):
    with pytest.raises(tain.DataError, match=r"at least 2 are needed"):
        prepare(Table(("a", "b", "c"), np.array(rows).reshape(-1, 3)), shares, mirror)


def test_a_share_held_out_that_leaves_nothing_is_refused(shares, mirror):
    with pytest.raises(tain.DataError, match=r"holding out 0\.99 of 4 rows leaves 0"):
        prepare(table(GOOD), shares, mirror, held_out=0.99)


def test_treatments_that_a_rule_does_not_have_are_refused():
    @tain.constraint("test-sum", event_ndim=1)
    def total(x):
        return (x.sum(1) - 1).abs()

    with pytest.raises(tain.ConfigurationError, match="can neither retract nor project"):
        prepare(table([*GOOD, [0.2001, 0.3, 0.5]]), total, rounding=1e-3)
    with pytest.raises(tain.ConfigurationError, match="has no retraction"):
        prepare(table(GOOD), total, detection_limit=1e-3)
    assert len(prepare(table(GOOD), total).train) == 3


def test_the_split_depends_on_the_seed_alone(shares, mirror):
    rows = table(np.random.default_rng(0).dirichlet(np.ones(3), 50))
    first, again, other = (prepare(rows, shares, mirror, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)
    together = torch.cat((first.train, first.held_out)).sort(0).values
    assert torch.allclose(together, torch.from_numpy(rows.values).float().sort(0).values)
