"""What a report says of a run, as plain values."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import torch

import tain
from tain import Constraint, Generator, Learned, Refined
from tain.configured import Configured
from tain_lab.evaluation import Evaluation
from tain_lab.experiment import Experiment
from tain_lab.features import pooling
from tain_lab.pace import Stage
from tain_lab.preparation import Prepared
from tain_lab.settings import Settings

__all__ = ["record_of"]


def record_of(
    experiment: Experiment,
    constraint: Constraint,
    data: Prepared,
    models: dict[str, Generator],
    stages: list[Stage],
    evaluation: Evaluation,
    seconds: float,
) -> dict[str, Any]:
    """The report's record: plain values.

    Args:
        experiment, constraint, data: of the run.
        models: the trained ones, by candidate.
        stages: the trainings, if the map was learned.
        evaluation: of the samples.
        seconds: that this call took.
    """
    mirrored = models["samples"]
    assert isinstance(mirrored, tain.Mirrored)
    shape = tuple(data.train.shape[1:])
    learned = mirrored.mirror.map if isinstance(mirrored.mirror, Refined) else mirrored.mirror
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
            "shape": list(shape),
            "pooling": pooling(shape),
            "train": len(data.train),
            "held_out": len(data.held_out),
            "treatment": attrs.asdict(data.treatment),
        },
        "evaluation": attrs.asdict(evaluation),
        "bounds": learned.bounds if isinstance(learned, Learned) else {},
        "stages": [attrs.asdict(stage) for stage in stages],
        "made": {
            **_settings("training", experiment.training),
            **(_learning(experiment, learned) if isinstance(learned, Learned) else {}),
            **_arguments("generator", mirrored.generator),
            "weights of the generator": _count(mirrored.generator),
            "seed": experiment.seed,
            "versions": ", ".join(f"{name} {version(name)}" for name in ("tain", "tain-lab", "torch")),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {_device()}",
            "seconds (of this call)": round(seconds, 1),
        },
    }


def _learning(experiment: Experiment, mirror: Learned) -> dict[str, Any]:
    """How a learned map was made."""
    finetuning = experiment.map_finetuning
    arguments = _arguments("map", mirror)
    arguments.pop("map: constraint", None)
    return {
        **arguments,
        **_settings("map training", experiment.map_training),
        **(_settings("finetuning", finetuning) if finetuning is not None else {}),
    }


def _settings(what: str, settings: Settings) -> dict[str, Any]:
    return {f"{what}: {key}": value for key, value in attrs.asdict(settings).items()}


def _arguments(what: str, component: Configured) -> dict[str, str]:
    return {f"{what}: {key}": str(value) for key, value in tain.configuration(component).items()}


def _count(model: Generator) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
