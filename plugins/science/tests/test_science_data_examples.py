"""The names that tain_science.data exports, and its simulators as they come."""

import pytest

from tain import Component
from tain_science import data, plugin


def test_each_name_is_exported():
    for name in data.__all__:
        assert getattr(data, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Crescent'"):
        data.Crescent  # noqa: B018 (looking it up is the test)


def test_each_simulator_has_a_name_and_works_as_it_comes():
    records = list(plugin.tain_datasets())
    assert all(type(record) is Component and record.summary for record in records)
    simulators = {value for value in map(data.__getattr__, data.__all__) if isinstance(value, type)} - {data.Simulator}
    assert {record.target for record in records} == simulators
    for record in records:
        simulator = record.target()
        assert len(simulator.event_shape) == 3
        assert simulator.event_shape[1:] == (64, 64)
