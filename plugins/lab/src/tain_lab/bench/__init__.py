"""Benchmarks of quality: what a generator under a rule reaches, beside what data themselves reach.

tain bench                      lists the benches
tain bench mirror-suite         runs one; the same command goes on where it was stopped
"""

from tain_lab.bench.record import Bench, BenchSettings, Result

__all__ = ["Bench", "BenchSettings", "Result"]
