"""The parts of a rule: each block with its own columns, numbers and mirror map."""

import numpy as np
import pytest
import torch

import tain
from tain_lab.metrics import keep_rule
from tain_lab.parts import split_rule
from tain_lab.preparation import prepare
from tain_lab.tables import Table


@pytest.fixture
def shares(components):
    return tain.create("constraint", "test-shares", parts=2)


@pytest.fixture
def sum_one(components):
    @tain.constraint("test-sum-one", event_ndim=1)
    def sum_one(x):
        return (x.sum(1) - 1).abs()

    return sum_one


def test_one_rule_is_one_part_of_all_columns(shares):
    (part,) = split_rule(shares, rounding=0.5)
    assert (part.rule, part.columns, part.rounding, part.detection_limit) == (shares, slice(None), 0.5, 0.0)


def test_blocks_are_parts_with_their_mirror_maps(shares):
    target = tain.catalogue.find("mirror-map", "test-log-ratio").target
    record = tain.Blocks((shares, shares))
    mirror = tain.BlocksMirror(record, (target(shares), target(shares)))
    first, second = split_rule(record, mirror, rounding=(0.1, 0.2), detection_limit=0.3)
    assert (first.columns, second.columns) == (slice(0, 2), slice(2, 4))
    assert (first.mirror, second.mirror) == mirror.mirrors
    assert (second.rounding, second.detection_limit) == (0.2, 0.3)
    with pytest.raises(tain.ConfigurationError, match=r"rounding has 3 entries, .* for each rule \(Shares, Shares\)"):
        split_rule(record, rounding=(0.1, 0.2, 0.3))


def test_a_block_without_retraction_does_not_keep_others_from_theirs(shares, sum_one):
    record = tain.Blocks((shares, sum_one), sizes=(2, 2))
    rows = np.array([[0.5, 0.5, 3.0, -2.0], [0.0, 1.0, 1.0, 0.0], [0.4, 0.59, 0.5, 0.5]])
    table = Table(("a", "b", "c", "d"), rows)
    data = prepare(table, record, rounding=(0.02, 0.0), detection_limit=(0.01, 0.0), held_out=0.3)
    everything = torch.cat((data.train, data.held_out))
    assert record.contains(everything).all()
    assert data.treatment.off_set == 1
    assert data.treatment.boundary_entries == {"a": 1, "b": 0, "c": 0, "d": 0}
    assert data.treatment.method == "a, b: Each row is divided by its sum."
    with pytest.raises(tain.ConfigurationError, match="TestSumOne has no retraction"):
        prepare(table, record, rounding=(0.02, 0.0), detection_limit=0.01)


def test_a_row_is_outside_if_one_block_is(shares, sum_one):
    record = tain.Blocks((shares, sum_one), sizes=(2, 2))
    rows = torch.tensor([[0.5, 0.5, 1.0, 0.0], [0.5, 0.5, 1.0, 0.1], [0.6, 0.5, 1.0, 0.0], [0.6, 0.5, 1.0, 0.1]])
    report = keep_rule(rows, record)
    assert report.outside == 0.75
    assert report.largest_distance == pytest.approx(0.2)
