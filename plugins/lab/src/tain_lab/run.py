"""`tain run`: from an experiment's TOML file to samples, models and a report."""

import platform
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch

import tain
from tain import Constraint, Generator
from tain_lab import pictures
from tain_lab.evaluation import Evaluation, evaluate
from tain_lab.experiment import Experiment, read_experiment
from tain_lab.preparation import Prepared, prepare
from tain_lab.randomness import stream
from tain_lab.report import write_report
from tain_lab.run_folder import RunFolder
from tain_lab.tables import read_table, write_table
from tain_lab.training import fit

__all__ = ["run"]

_HOMES = {"samples": "model", "baseline": "baseline"}
"""The folder of each candidate's model."""


def run(
    path: Path,
    output: Path | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> tuple[Path, Evaluation]:
    """Run an experiment: data, training, samples, report. A run that was stopped goes on where it was.

    Args:
        path: the experiment's TOML file.
        output: folder of the results, by default results/NAME in the working directory.
        overwrite: replace what an earlier run left in the folder.
        say: takes a line of text at each stage.

    Returns:
        The folder, and what the report says of the samples.

    Raises:
        TainError: anything wrong with the experiment, its data or the folder; found before anything is written.
    """
    started = time.monotonic()
    experiment = read_experiment(path)
    table = read_table(Path(experiment.data.file), experiment.data.columns)
    constraint = experiment.build_constraint()
    mirror = experiment.build_mirror(constraint)
    data = prepare(
        table,
        constraint,
        mirror,
        rounding=experiment.data.rounding,
        detection_limit=experiment.data.detection_limit,
        held_out=experiment.data.held_out,
        seed=experiment.seed,
        source=experiment.data.file,
    )
    experiment.training.require_rows(len(data.train))
    event_shape = tuple(data.train.shape[1:])
    models: dict[str, Generator] = {"samples": experiment.build_mirrored(mirror, event_shape)}
    if experiment.baseline:
        models["baseline"] = experiment.build_generator(event_shape)

    folder = RunFolder(output or Path("results") / path.stem, experiment.digest(), overwrite=overwrite)
    shutil.copyfile(path, folder.path / "experiment.toml")
    say(_describe(data) + (" Going on with the run that was stopped." if folder.resumed else ""))
    samples, histories = {}, {}
    for key, model in models.items():
        model, histories[key] = _trained(key, model, experiment, data, folder)
        samples[key] = model.sample(experiment.samples.count, rng=stream(experiment.seed, "samples")).float().cpu()
        table_path = folder.path / ("samples.csv" if key == "samples" else "baseline-samples.csv")
        write_table(table_path, data.columns, samples[key].numpy())
        say(f"{key}: trained {len(histories[key])} steps, wrote {len(samples[key])} rows to {table_path}")

    evaluation = evaluate(samples, data, constraint, seed=experiment.seed)
    drawn = {
        "rule": pictures.distances_to_set(samples, constraint),
        "marginals": pictures.marginals(data.train_as_measured, samples, data.columns),
        "plane": pictures.principal_plane(data.train_as_measured, samples),
        "losses": pictures.losses(histories),
    }
    (folder.path / "pictures").mkdir(exist_ok=True)
    for name, content in drawn.items():
        (folder.path / "pictures" / f"{name}.png").write_bytes(content)
    record = _record(experiment, data, constraint, models, evaluation, time.monotonic() - started)
    write_report(folder.path, record, drawn)
    folder.finish()
    return folder.path, evaluation


def _trained(
    key: str, model: Generator, experiment: Experiment, data: Prepared, folder: RunFolder
) -> tuple[Generator, list[float]]:
    """The trained model with the loss of each step: loaded if it is there already, else trained and saved."""
    home = folder.path / _HOMES[key]
    losses = folder.path / f"{_HOMES[key]}-losses.csv"
    if not home.exists():
        state = folder.training_state(key)
        # The baseline is trained on the very rows, in the very order, that the mirrored model is.
        history = fit(model, data.train, experiment.training, seed=experiment.seed, checkpoint=state, label=key)
        write_table(losses, ["loss"], np.array(history)[:, None])
        tain.save(model.cpu(), home, notes={"columns": list(data.columns)})
    # What is sampled from is what was saved, so a run that was stopped between the two ends like any other.
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tain.load(home).to(device), read_table(losses).values[:, 0].tolist()


def _describe(data: Prepared) -> str:
    treatment = data.treatment
    text = f"{treatment.rows} rows of {len(data.columns)} columns, {len(data.held_out)} held out."
    if treatment.off_set:
        text += f" {treatment.off_set} rows were rounded and are put back on the set."
    if treatment.boundary_rows:
        count = sum(treatment.boundary_entries.values())
        text += f" {count} values in {treatment.boundary_rows} rows were on its boundary and are moved inside."
    return text


def _record(
    experiment: Experiment,
    data: Prepared,
    constraint: Constraint,
    models: dict[str, Generator],
    evaluation: Evaluation,
    seconds: float,
) -> dict[str, Any]:
    mirrored = models["samples"]
    assert isinstance(mirrored, tain.Mirrored)
    return {
        "title": experiment.title or "An experiment of tain",
        "rule": {
            "constraint": repr(constraint),
            "mirror": tain.identify(mirrored.mirror).name,
            "generator": tain.identify(mirrored.generator).name,
        },
        "candidates": list(models),
        "data": {
            "file": Path(experiment.data.file).name,
            "columns": list(data.columns),
            "train": len(data.train),
            "held_out": len(data.held_out),
            "treatment": attrs.asdict(data.treatment),
        },
        "evaluation": attrs.asdict(evaluation),
        "made": {
            **{f"training: {key}": value for key, value in attrs.asdict(experiment.training).items()},
            **{f"generator: {key}": str(value) for key, value in tain.configuration(mirrored.generator).items()},
            "weights of the generator": _count(mirrored.generator),
            "seed": experiment.seed,
            "versions": ", ".join(f"{name} {version(name)}" for name in ("tain", "tain-lab", "torch")),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {_device()}",
            "seconds (of this call)": round(seconds, 1),
        },
    }


def _count(model: Generator) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
