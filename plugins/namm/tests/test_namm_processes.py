"""Two processes train as one does: the same weights in both, and the gradients, of second order as well, of one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    place |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(PROCESS), str(home), str(number)],
            env=os.environ | place | {"RANK": str(number), "LOCAL_RANK": str(number)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        complaints = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(complaints)
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
