"""What importing tain costs, beyond importing torch: the median of several fresh processes, in seconds.

    python tests/benchmarks/import_time.py [runs]

The whole public interface is imported, not only the package, whose names are loaded when first used.
"""

import statistics
import subprocess
import sys

TIMED = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
EVERYTHING = "import tain; [getattr(tain, name) for name in tain.__all__]"
STATEMENTS = {
    "import torch": TIMED.format("import torch"),
    "import tain": TIMED.format("import tain"),
    "list the plugins": TIMED.format("from tain.plugins import PluginHost; PluginHost().plugins"),
    "tain's whole interface, beyond torch": "import torch; " + TIMED.format(EVERYTHING),
}


def measure(statement: str) -> float:
    """The seconds that one fresh process prints."""
    ran = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    return float(ran.stdout)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for name, statement in STATEMENTS.items():
        seconds = [measure(statement) for _ in range(runs)]
        print(f"{name:38} median {statistics.median(seconds):6.3f} s, from {min(seconds):.3f} to {max(seconds):.3f}")


if __name__ == "__main__":
    main()
