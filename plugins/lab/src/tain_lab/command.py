"""The `tain` command. Everything heavy is imported inside the subcommands, so that help answers at once."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import cyclopts
from cyclopts import App, Parameter
from rich.console import Console

from tain.errors import TainError

__all__ = ["app", "main"]

FAILURE = 2
"""Exit code of every mistake; 1 means that `tain check` found rows that break the rule."""

app = App(
    name="tain",
    help="Generative models whose samples keep a rule.",
    help_epilogue="With any command: --plugin FILE.py adds the components of a Python file (may be repeated); errors "
    "are one line, and --traceback shows where one comes from.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says how to go on
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; every mistake of the user is one line on the error stream and exit code 2."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in tokens
    tokens = [token for token in tokens if token != "--traceback"]
    try:
        tokens = _with_plugins(tokens)
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (TainError, cyclopts.CycloptsError) as error:
        if traceback:
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"tain: {message}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print("tain: stopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0


def _with_plugins(tokens: list[str]) -> list[str]:
    """Load each `--plugin FILE`, and return what is left of the command line."""
    left, files = [], []
    rest = iter(tokens)
    for token in rest:
        if token == "--plugin":
            files.append(next(rest, ""))
        elif token.startswith("--plugin="):
            files.append(token.removeprefix("--plugin="))
        else:
            left.append(token)
    if files:
        from tain.one_off import load_plugin

        for file in files:
            load_plugin(file)
    return left


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
        _console().print(table.told())
        print(f"Table: {folder / 'sweep.md'}")
        return 0
    folder, evaluation = run_experiment(experiment, output, overwrite=overwrite)
    _console().print(tell_evaluation(evaluation))
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

    return check_table(_console(), data, constraint, set, columns, tolerance, rows)


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
        _console().print(tell_datasets())
        return 0
    for line in simulate_to_file(name, set, rows, seed, output or Path(f"{name}.npy"), overwrite=overwrite):
        print(line)
    return 0


@app.command
def show(name: str | None = None) -> int:
    """Show what a component is and what it can be told, or list all components.

    Parameters
    ----------
    name
        Name of a constraint, mirror map, generator or solver.
    """
    from tain_lab.tell import tell_component, tell_components

    _console().print(tell_components() if name is None else tell_component(name))
    return 0


@app.command
def plugins(
    *,
    available: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
    trace: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the installed plugins, what they provide, and why a broken one is broken.

    Parameters
    ----------
    available
        List those that are known but not installed instead, with the command that installs each.
    json_
        As JSON, for programs.
    trace
        Tell every call of a hook on the error stream: of which plugin, what came, how long it took.
    """
    from tain.catalogue import host
    from tain_lab.tell import available_records, plugin_records, tell_available, tell_plugins

    host().trace = host().trace or trace
    if json_:
        print(json.dumps(available_records() if available else plugin_records(), indent=2))
    else:
        _console().print(tell_available() if available else tell_plugins())
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
        Training steps of each model; 5000 by default.
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
        _console().print(tell_benches())
        return 0
    given: dict[str, Any] = {"steps": steps, "rows": rows, "repeats": repeats, "seed": seed, "generator": generator}
    settings = attrs.evolve(BenchSettings(), **{key: value for key, value in given.items() if value is not None})
    cases = [case.strip() for case in only.split(",")] if only else ()
    folder = output or Path("results") / f"bench-{name}"
    table = run_bench(find_bench(name), settings, folder, cases, jobs=jobs, overwrite=overwrite)
    print(f"Table: {table}")
    return 0


@app.command
def new(kind: str, name: str, *, output: Path = Path()) -> int:
    """Write a package for a component of your own: it installs, tain finds it, and its tests pass.

    Parameters
    ----------
    kind
        constraint, mirror-map, generator or solver.
    name
        Of the component: lower-case words joined by hyphens, such as unit-flux.
    output
        Folder that gets the package's folder, tain-NAME; by default the current one.
    """
    from tain_lab.scaffold import new_package

    folder = new_package(kind, name, output)
    print(f"{folder} is written. Next: cd {folder} && pip install -e '.[test]' && pytest")
    return 0


def _console() -> Console:
    return Console(markup=False, highlight=False)  # what plugins and files say is shown as it is


if __name__ == "__main__":
    sys.exit(main())
