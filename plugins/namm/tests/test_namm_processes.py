"""Two processes train as one does: the same weights in both, and the gradients, of second order as well, of one."""

import json
import sys
from pathlib import Path

import pytest

from tain.testing.processes import run_processes

PROCESS = Path(__file__).with_name("parallel_process.py")


@pytest.fixture(scope="module")
def single():
    """The module that holds the training."""
    sys.path.insert(0, str(PROCESS.parent))
    try:
        import parallel_process
    finally:
        sys.path.pop(0)
    return parallel_process


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    home = tmp_path_factory.mktemp("processes")
    run_processes(PROCESS, str(home))
    return [json.loads((home / f"result-{number}.json").read_text()) for number in range(2)]


@pytest.mark.parametrize("form", ["icnn", "periodic", "resnet", "bfloat16", "finetuning", "two steps", "untold"])
def test_two_processes_train_as_one(single, results, form):
    first, second = (result[form] for result in results)
    assert first == second
    whole = single.trained(form, seed=0, rows=slice(0, 6), parallel=False)
    accuracy = 2e-2 if form == "bfloat16" else 1e-9
    for key in ("slopes", "weights"):
        for found, expected in zip(first[key], whole[key], strict=True):
            largest = max(map(abs, expected))
            assert found == pytest.approx(expected, abs=accuracy * max(largest, 1e-3))
