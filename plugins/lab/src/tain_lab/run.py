"""`tain run`: from an experiment's TOML file to samples, models and a report."""

import copy
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from tain import Constraint, Generator, Learned, MirrorMap
from tain_lab import pictures
from tain_lab.array_pictures import grids
from tain_lab.array_preparation import prepare_arrays
from tain_lab.arrays import read_array, write_array
from tain_lab.evaluation import Evaluation, evaluate
from tain_lab.experiment import Experiment, read_experiment
from tain_lab.features import features
from tain_lab.preparation import Prepared, prepare
from tain_lab.report import write_report
from tain_lab.run_folder import RunFolder
from tain_lab.run_record import record_of
from tain_lab.sampling import draw
from tain_lab.stages import Stages
from tain_lab.tables import read_table, write_table

__all__ = ["Setting", "run", "run_in", "set_up"]


@attrs.frozen(eq=False)
class Setting:
    """An experiment with all that it is made of, checked, before anything is trained or written."""

    experiment: Experiment
    constraint: Constraint
    mirror: MirrorMap
    data: Prepared


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
    setting = set_up(read_experiment(path))
    folder = RunFolder(output or Path("results") / path.stem, setting.experiment.digest(), overwrite=overwrite)
    shutil.copyfile(path, folder.path / "experiment.toml")
    return folder.path, run_in(folder, setting, say)


def set_up(experiment: Experiment) -> Setting:
    """Read the data and build what is to be trained, to find whatever is wrong with them."""
    constraint = experiment.build_constraint()
    treated: dict[str, Any] = {"held_out": experiment.data.held_out, "seed": experiment.seed}
    treated |= {"rounding": experiment.data.rounding, "detection_limit": experiment.data.detection_limit}
    treated |= {"source": experiment.data.file}
    file, chosen = Path(experiment.data.file), experiment.data.columns
    if constraint.event_ndim == 1:
        table = read_table(file, chosen)
        constraint.require_shape(torch.from_numpy(table.values))
        mirror = experiment.build_mirror(constraint, (len(table.columns),))
        data = prepare(table, constraint, mirror, **treated)
    else:
        samples = read_array(file, chosen)
        constraint.require_shape(samples[:1].float())
        mirror = experiment.build_mirror(constraint, tuple(samples.shape[1:]))
        data = prepare_arrays(samples, constraint, mirror, **treated)
    event_shape = tuple(data.train.shape[1:])
    experiment.require_rows(len(data.train), mirror)
    experiment.build_mirrored(mirror, event_shape)
    if experiment.baseline is not False:
        experiment.build_generator(event_shape)
    if isinstance(mirror, Learned):  # a copy is tried, so that a map refuses data or rule before anything is written
        tried = copy.deepcopy(mirror)
        tried.prepare(data.train)
        tried.loss(data.train[:2], rng=0)
    return Setting(experiment, constraint, mirror, data)


def run_in(folder: RunFolder, setting: Setting, say: Callable[[str], None] = print) -> Evaluation:
    """Train, draw, judge and report in a folder, and mark it as finished."""
    started = time.monotonic()
    experiment, data, constraint = setting.experiment, setting.data, setting.constraint
    say(_describe(data) + (" Going on with the run that was stopped." if folder.resumed else ""))
    stages = Stages(experiment, data, setting.mirror, folder)
    for stage in stages.stages:
        say(f"{stage.name}: {stage.steps} steps of {stage.pace:.3g} s")
    kinds = {"samples": stages.samples} | ({"baseline": stages.baseline} if experiment.baseline is not False else {})
    models: dict[str, Generator] = {}
    samples: dict[str, Tensor] = {}
    for key, trained in kinds.items():
        models[key] = trained()
        samples[key] = draw(models[key], experiment.samples.count, experiment.seed)
        written = _write_samples(folder.path, "samples" if key == "samples" else "baseline-samples", samples[key], data)
        say(f"{key}: trained {len(stages.histories[key])} steps, wrote {len(samples[key])} rows to {written}")

    evaluation = evaluate(samples, data, constraint, seed=experiment.seed)
    drawn = _pictures(samples, data, constraint, stages.histories)
    (folder.path / "pictures").mkdir(exist_ok=True)
    for name, content in drawn.items():
        (folder.path / "pictures" / f"{name}.png").write_bytes(content)
    seconds = time.monotonic() - started
    record = record_of(experiment, constraint, data, models, stages.stages, evaluation, seconds)
    write_report(folder.path, record, drawn)
    folder.finish()
    return evaluation


def _write_samples(folder: Path, name: str, samples: Tensor, data: Prepared) -> Path:
    if data.columns:
        path = folder / f"{name}.csv"
        write_table(path, data.columns, samples.numpy())
    else:
        path = folder / f"{name}.npy"
        write_array(path, samples)
    return path


def _pictures(
    samples: dict[str, Tensor], data: Prepared, constraint: Constraint, histories: dict[str, list[float]]
) -> dict[str, bytes]:
    measured = data.train_as_measured
    rows = {key: features(drawn) for key, drawn in samples.items()}
    look = (
        {"marginals": pictures.marginals(measured, samples, data.columns)}
        if data.columns
        else {"grids": grids(measured, samples)}
    )
    return {
        "rule": pictures.distances_to_set(samples, constraint),
        **look,
        "plane": pictures.principal_plane(features(measured), rows),
        "losses": pictures.losses(histories),
    }


def _describe(data: Prepared) -> str:
    treatment = data.treatment
    what = f"{len(data.columns)} columns" if data.columns else f"shape {tuple(data.train.shape[1:])}"
    text = f"{treatment.rows} rows of {what}, {len(data.held_out)} held out."
    if treatment.off_set:
        text += f" {treatment.off_set} rows were rounded and are put back on the set."
    if treatment.boundary_rows:
        count = sum(treatment.boundary_entries.values())
        text += f" {count} values in {treatment.boundary_rows} rows were on its boundary and are moved inside."
    return text
