"""The subcommands about experiments and data: `run`, `check`, `sample`, `simulate`, `bench`."""

from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from tain_lab.application import app, console

__all__ = ["bench", "check", "run", "sample", "simulate"]


@app.command
def run(
    experiment: Path,
    *,
    output: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Train a generator under a rule, draw samples, write a report.

    A run that was stopped goes on where it was when the same command is given again. If the experiment has a [sweep],
    it is run for each combination of the values, and a table tells what each reached.

    Parameters
    ----------
    experiment
        TOML file of the experiment.
    output
        Folder of the results; results/NAME by default.
    overwrite
        Replace what an earlier run left in that folder.
    """
    from tain_lab.run import run as run_experiment
    from tain_lab.sweep import has_sweep, run_sweep
    from tain_lab.tell import tell_evaluation

    if has_sweep(experiment):
        folder, table = run_sweep(experiment, output, overwrite=overwrite)
        console().print(table.told())
        print(f"Table: {folder / 'sweep.md'}")
        return 0
    folder, evaluation = run_experiment(experiment, output, overwrite=overwrite)
    console().print(tell_evaluation(evaluation))
    print(f"Report: {folder / 'report.html'}")
    return 0


@app.command
def check(
    data: Path,
    *,
    constraint: str | None = None,
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    columns: str | None = None,
    tolerance: float | None = None,
    rows: int = 10,
) -> int:
    """Show which rows of a table break a rule, and by how much. Exit code 1 if any does.

    Parameters
    ----------
    data
        Data file (CSV, Parquet, NPY, NPZ, safetensors), or the TOML file of an experiment.
    constraint
        Name of the rule, for a data file.
    set
        Configuration of the rule as key=value, for a data file; may be repeated.
    columns
        Names of the columns, separated by commas; all if not given.
    tolerance
        Distance up to which a row counts as inside. By default the rule's own in single precision, or the
        experiment's rounding.
    rows
        How many of the worst rows to show.
    """
    from tain_lab.checking import check_table

    return check_table(console(), data, constraint, set, columns, tolerance, rows)


@app.command
def sample(
    model: Path,
    output: Path,
    *,
    count: int = 1000,
    seed: int = 0,
    overwrite: bool = False,
) -> int:
    """Draw samples from a trained model.

    Parameters
    ----------
    model
        Folder of a model, or of a finished run.
    output
        File to write: CSV, Parquet, NPY, NPZ or safetensors, as its suffix tells.
    count
        Number of samples.
    seed
        Same seed, same samples.
    overwrite
        Replace the file if it exists.
    """
    from tain_lab.sampling import sample_to_file

    print(sample_to_file(model, output, count, seed, overwrite=overwrite))
    return 0


@app.command
def simulate(
    name: str | None = None,
    *,
    rows: int = 1000,
    seed: int = 0,
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    output: Annotated[Path | None, Parameter(name=("--out", "--output"))] = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make data that obey a rule, or without a name list the data sets that can be made.

    Beside the array, a JSON file of the same name tells how it was made and how well it obeys the rule.

    Parameters
    ----------
    name
        Name of a data set.
    rows
        How many to make.
    seed
        Same seed, same rows: row i does not depend on how many there are.
    set
        Option of the data set as key=value, such as size=32; may be repeated.
    output
        NPY file to write; NAME.npy by default.
    overwrite
        Replace the files if they exist.
    """
    from tain_lab.simulate import simulate_to_file, tell_datasets

    if name is None:
        console().print(tell_datasets())
        return 0
    for line in simulate_to_file(name, set, rows, seed, output or Path(f"{name}.npy"), overwrite=overwrite):
        print(line)
    return 0


@app.command
def bench(
    name: str | None = None,
    *,
    only: str | None = None,
    steps: int | None = None,
    rows: int | None = None,
    repeats: int | None = None,
    seed: int | None = None,
    generator: str | None = None,
    jobs: int = 1,
    output: Path | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure what generators reach under a rule, beside what data themselves reach; without a name, list the benches.

    A run that was stopped goes on where it was when the same command is given again.

    Parameters
    ----------
    name
        Name of a bench, such as mirror-suite.
    only
        Names of some of its cases, separated by commas.
    steps
        Training steps of each model; 10000 by default.
    rows
        Rows that are compared; 10000 by default.
    repeats
        Fresh draws of samples and of data that are compared; 2 by default.
    seed
        Of the data, the training and the samples; 0 by default.
    generator
        Name of the generator; vector-diffusion by default.
    jobs
        Cases that are measured side by side, each by a process of one thread. With 1, each has all threads.
    output
        Folder of the results; results/bench-NAME by default.
    overwrite
        Replace what an earlier run left in that folder.
    """
    from tain_lab.bench.record import BenchSettings
    from tain_lab.bench.run import find_bench, run_bench
    from tain_lab.tell import tell_benches

    if name is None:
        console().print(tell_benches())
        return 0
    given: dict[str, Any] = {"steps": steps, "rows": rows, "repeats": repeats, "seed": seed, "generator": generator}
    settings = attrs.evolve(BenchSettings(), **{key: value for key, value in given.items() if value is not None})
    cases = [case.strip() for case in only.split(",")] if only else ()
    folder = output or Path("results") / f"bench-{name}"
    table = run_bench(find_bench(name), settings, folder, cases, jobs=jobs, overwrite=overwrite)
    print(f"Table: {table}")
    return 0
