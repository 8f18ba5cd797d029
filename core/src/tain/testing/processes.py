"""Several processes on one machine, as torchrun starts them: for tests of what trains in parallel."""

import os
import socket
import subprocess
import sys
from pathlib import Path

__all__ = ["run_processes"]


def run_processes(script: Path, *arguments: str, count: int = 2, timeout: float = 300) -> None:
    """Run a Python script in `count` processes that can find each other by torch.distributed, and wait for all.

    Each is given the arguments and, as the last one, its rank; runs on the CPU with one thread; and takes warnings for
    errors.

    Args:
        script: file of the script.
        arguments: of the script.
        count: number of processes.
        timeout: seconds to wait for each.

    Raises:
        RuntimeError: a process failed; the message holds what all of them wrote to the error stream.
        subprocess.TimeoutExpired: a process has not ended in time. All are stopped.

    Example:
        >>> import tempfile
        >>> script = Path(tempfile.mkdtemp()) / "greet.py"
        >>> _ = script.write_text("import os, sys; assert os.environ['RANK'] == sys.argv[2], sys.argv")
        >>> run_processes(script, "hello")
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    world |= {"LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(script), *arguments, str(rank)],
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        complaints = [process.communicate(timeout=timeout)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(process.returncode for process in processes):
        raise RuntimeError("\n".join(complaints))
