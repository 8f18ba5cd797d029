"""`tain bench`: measures the cases of a bench one after the other, and writes a table of them."""

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import torch

from tain.atomic import write_text
from tain.configured import bind
from tain.errors import UnknownNameError, nearest
from tain_lab.bench.record import Bench, BenchSettings, Result
from tain_lab.run_folder import RunFolder

__all__ = ["benches", "find_bench", "run_bench", "table_of"]


def benches() -> dict[str, Bench]:
    """All benches by name."""
    from tain_lab.bench import few_steps, likelihood, namm, suite

    return {bench.name: bench for bench in (suite.BENCH, likelihood.BENCH, few_steps.BENCH, namm.BENCH)}


def find_bench(name: str) -> Bench:
    """The bench of that name.

    Raises:
        UnknownNameError: there is none; the message names the nearest.
    """
    known = benches()
    if name not in known:
        raise UnknownNameError(f"There is no bench '{name}'.{nearest(name, list(known))} 'tain bench' lists all.")
    return known[name]


def run_bench(
    bench: Bench,
    settings: BenchSettings,
    output: Path,
    cases: Sequence[str] = (),
    *,
    jobs: int = 1,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Measure a bench, each case on its own. What was measured before the run was stopped is not measured again.

    Args:
        bench: what to measure.
        settings: how.
        output: folder of the results: NAME.md, NAME.json, a picture of each case.
        cases: names of cases, all of them by default.
        jobs: cases that are measured side by side, each by a process of one thread; with 1 in this process.
        overwrite: replace what an earlier run left in the folder.
        say: takes a line of text for each case.

    Returns:
        The table, a file of Markdown.

    Raises:
        ConfigurationError: a setting is beyond its limit.
        UnknownNameError: there is no such case, or no plugin that a case needs.
        DataError: the folder holds something else.
    """
    bind(BenchSettings, attrs.asdict(settings))  # refuses numbers beyond their limits
    for case in cases:
        if case not in bench.cases:
            raise UnknownNameError(f"The bench '{bench.name}' has no case '{case}'.{nearest(case, bench.cases)}")
    chosen = [case for case in bench.cases if case in cases] if cases else list(bench.cases)
    told = json.dumps([bench.name, chosen, attrs.asdict(settings)])
    folder = RunFolder(output, sha256(told.encode()).hexdigest(), overwrite=overwrite)
    progress = folder.path / "progress"
    left = [case for case in chosen if not _figures_file(progress, case).is_file()]
    given = {case: (settings, progress / _stem(case)) if bench.goes_on else (settings,) for case in left}
    for case, result in _measured(bench, given, jobs):
        if result.picture is not None:
            (folder.path / f"{_stem(case)}.png").write_bytes(result.picture)
        write_text(_figures_file(progress, case), json.dumps(result.figures))
        say(f"{case}: {', '.join(f'{name} {cell}' for name, cell in bench.row(result.figures).items())}")
    found = {case: json.loads(_figures_file(progress, case).read_text(encoding="utf-8")) for case in chosen}
    record = {"bench": bench.name, "settings": attrs.asdict(settings), "made": _made(jobs), "cases": found}
    write_text(folder.path / f"{bench.name}.json", json.dumps(record, indent=2) + "\n")
    table = folder.path / f"{bench.name}.md"
    write_text(table, table_of(bench, record))
    folder.finish()
    return table


def _measured(bench: Bench, given: Mapping[str, tuple[Any, ...]], jobs: int) -> Iterator[tuple[str, Result]]:
    """Each case with its result, as they come; `given` is what its measurement takes besides its name."""
    if jobs == 1:
        yield from ((case, bench.measure(case, *told)) for case, told in given.items())
        return
    processes = ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,))
    with processes as pool:
        running = {pool.submit(bench.measure, case, *told): case for case, told in given.items()}
        try:
            yield from ((running[done], done.result()) for done in as_completed(running))
        finally:  # after a failure nothing further is begun
            pool.shutdown(cancel_futures=True)


def _stem(case: str) -> str:
    return case.replace(" ", "-")


def _figures_file(progress: Path, case: str) -> Path:
    return progress / f"{_stem(case)}.json"


def table_of(bench: Bench, record: dict[str, Any]) -> str:
    """The results of a run, as Markdown: the command, a verdict, a row a case."""
    options = attrs.asdict(BenchSettings())
    changed = [f"--{key} {value}" for key, value in record["settings"].items() if value != options[key]]
    cases = record["cases"]
    only = [] if list(cases) == list(bench.cases) else [f"--only {','.join(cases)}"]
    rows = {case: bench.row(figures) for case, figures in cases.items()}
    columns = list(next(iter(rows.values())))
    lines = [
        f"`{' '.join(['tain bench', bench.name, *changed, *only])}`",
        "",
        bench.verdict(list(cases.values())),
        "",
        f"| | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
        *(f"| {case} | {' | '.join(cells.values())} |" for case, cells in rows.items()),
        "",
        *(f"{note}\n" for note in bench.notes),
        f"Made with {record['made']}: {', '.join(f'{key} {value}' for key, value in record['settings'].items())}.",
    ]
    return "\n".join(lines) + "\n"


def _made(jobs: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("tain", "tain-lab", "torch"))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    threads = f"{torch.get_num_threads()} threads" if jobs == 1 else f"{jobs} processes of one thread"
    return f"{versions} on {platform.machine()}, {threads}, {device}"
