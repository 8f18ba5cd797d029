"""Two processes find the multipliers that one does, and go on where one was stopped."""

import json
import sys
from pathlib import Path

import pytest

from tain.testing.processes import run_processes

PROCESS = Path(__file__).with_name("dual_process.py")
sys.path.insert(0, str(PROCESS.parent))
try:
    import dual_process as single
finally:
    sys.path.pop(0)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each of two processes gives, which find a training of one process stopped at step 13."""
    home = tmp_path_factory.mktemp("processes")

    def dies(figures):
        if figures["step"] == 13:
            raise single.KilledError

    with pytest.raises(single.KilledError):
        single.trained(callback=dies, checkpoint=home / "state")
    run_processes(PROCESS, str(home))
    return [json.loads((home / f"result-{number}.json").read_text()) for number in range(2)]


@pytest.mark.parametrize("training", ["whole", "resumed"])
def test_two_processes_give_what_one_gives(results, training):
    """Seven samples a batch: three for one process, four for the other, and each weighs the same."""
    whole = single.trained()
    assert any(whole["multipliers"])
    for result in results:
        for key, values in whole.items():
            assert result[training][key] == pytest.approx(values, rel=1e-4, abs=1e-5), key


def test_both_processes_give_the_same(results):
    assert results[0] == results[1]


def test_processes_of_different_seeds_are_refused(results):
    for result in results:
        assert "the processes have different seeds" in result["error"]
