"""The trainings of a run, each with a state of its own: one that is complete is not repeated, one that was stopped
goes on.

With an exact mirror map there are two: the generator behind the map, and the baseline. A map that is learned comes
first, then the generator of its images, then finetuning of the map on what the generator gives.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, final

import attrs
import numpy as np
import torch

import tain
from tain import Finetunable, Generator, Learned, Mirrored, MirrorMap, Refined
from tain.atomic import write_text
from tain.configured import Configured
from tain_lab.arrays import read_array, write_array
from tain_lab.experiment import Experiment
from tain_lab.experiment_tables import BaselineSettings
from tain_lab.finetuning import finetune
from tain_lab.pace import Stage, Training, paces_of, steps_within
from tain_lab.preparation import Prepared
from tain_lab.run_folder import RunFolder
from tain_lab.sampling import draw
from tain_lab.settings import Settings
from tain_lab.tables import read_table, write_table
from tain_lab.training import fit
from tain_lab.training_data import mirror_images

__all__ = ["Stages"]

C = TypeVar("C", bound=Configured)

_MEASURED = 1000  # held-out rows, and images, that the bounds of a learned map are taken on


@final
class Stages:
    """The trained models of a run.

    Args:
        experiment, data, mirror: what is trained, and on what.
        folder: of the run.

    Attributes:
        histories: the loss of each step of each training so far, by name.
        stages: what each stage takes, if the map is learned; decided once, and kept in the folder.
    """

    def __init__(self, experiment: Experiment, data: Prepared, mirror: MirrorMap, folder: RunFolder) -> None:
        self._experiment, self._data, self._mirror, self._folder = experiment, data, mirror, folder
        self._event_shape = tuple(data.train.shape[1:])
        self._rounding = _largest(experiment.data.rounding)
        self._seed = experiment.seed
        self.histories: dict[str, list[float]] = {}
        self.stages: list[Stage] = self._planned() if isinstance(mirror, Learned) else []

    def samples(self) -> Mirrored:
        """The model of the run."""
        model = Mirrored(self._mirror, self._generator(self._mirror.mirror_shape(self._event_shape)))
        if isinstance(self._mirror, Learned):
            return self._learned(model.generator)
        return self._trained("samples", self._folder.path / "model", "model", model, self._fit(model, "samples"))

    def baseline(self) -> Generator:
        """The same generator, without a mirror map."""
        settings = self._experiment.training
        steps = self._baseline_steps() or next((s.steps for s in self.stages if s.name == "baseline"), settings.steps)
        model = self._generator(self._event_shape)
        # With an exact map, it is trained on the very rows, in the very order, that the mirrored model is.
        train = self._fit(model, "baseline", attrs.evolve(settings, steps=steps))
        return self._trained("baseline", self._folder.path / "baseline", "baseline", model, train)

    def _learned(self, generator: Generator) -> Mirrored:
        home, progress = self._folder.path / "model", self._folder.path / "progress"
        mirror = self._mirror
        assert isinstance(mirror, Learned)
        train = self._fit(mirror, "map", self._experiment.map_training)
        mirror = self._trained("map", progress / "map", "map", mirror, train)
        mirrored = Mirrored(_frozen(mirror), generator)
        train = self._fit(mirrored, "samples")
        generator = self._trained("samples", progress / "generator", "model", generator, train)
        settings = self._experiment.map_finetuning
        if settings is not None and isinstance(mirror, Finetunable):
            mirror = self._finetuned(mirror, generator, progress)
        if not home.exists():
            count = min(_MEASURED, len(self._data.held_out))
            images = draw(generator, count, self._seed, "images to measure").to(_device())
            mirror.measure(self._data.held_out[:count].to(_device()), images)
            steps = self._experiment.samples.refine
            model = Mirrored(Refined(mirror, steps=steps) if steps else mirror, generator)
            tain.save(model.cpu(), home, notes=self._notes())
        return _loaded(home)

    def _finetuned(self, mirror: Finetunable, generator: Generator, progress: Path) -> Finetunable:
        settings = self._experiment.map_finetuning
        assert settings is not None

        def train(state: Path) -> list[float]:
            file = progress / "images.npy"
            if not file.exists():
                write_array(file, draw(generator, settings.count, self._seed, "images to finetune on"))
            options: dict[str, Any] = {"seed": self._seed, "tolerance": self._rounding, "checkpoint": state}
            return finetune(mirror, self._data.train, read_array(file), settings, **options)

        return self._trained("finetuning", progress / "finetuned", "finetuning", mirror, train)

    def _fit(
        self, model: Generator | Learned, label: str, settings: Settings | None = None
    ) -> Callable[[Path], list[float]]:
        def train(state: Path) -> list[float]:
            return fit(
                model,
                self._data.train,
                settings or self._experiment.training,
                seed=self._seed,
                tolerance=self._rounding,
                checkpoint=state,
                label=label,
            )

        return train

    def _trained(self, key: str, home: Path, name: str, model: C, train: Callable[[Path], list[float]]) -> C:
        """The trained model: loaded if it is there already, else trained and saved."""
        losses = self._folder.path / f"{name}-losses.csv"
        if not home.exists():
            history = train(self._folder.training_state(key))
            write_table(losses, ["loss"], np.array(history)[:, None])
            tain.save(model.cpu(), home, notes=self._notes())
        self.histories[key] = read_table(losses).values[:, 0].tolist()
        # What is used from here on is what was saved, so a run that was stopped in between ends like any other.
        return _loaded(home)

    def _generator(self, shape: tuple[int, ...]) -> Generator:
        return self._experiment.build_generator(shape)

    def _notes(self) -> dict[str, Any]:
        return {"columns": list(self._data.columns)} if self._data.columns else {}

    def _baseline_steps(self) -> int | None:
        baseline = self._experiment.baseline
        return baseline.steps if isinstance(baseline, BaselineSettings) else None

    def _planned(self) -> list[Stage]:
        """The steps of all stages of a learned map, decided once."""
        file = self._folder.path / "stages.json"
        if not file.exists():
            text = json.dumps([attrs.asdict(stage) for stage in self._measured()], indent=2)
            write_text(file, text + "\n")
        return [Stage(**stage) for stage in json.loads(file.read_text(encoding="utf-8"))]

    def _measured(self) -> list[Stage]:
        experiment, mirror, rows = self._experiment, self._mirror, self._data.train
        assert isinstance(mirror, Learned)
        # What a step of the generator costs does not depend on the values of the images.
        behind = Mirrored(_frozen(mirror), self._generator(mirror.mirror_shape(self._event_shape)))
        options: dict[str, Any] = {"tolerance": self._rounding, "progress": False}

        def fitting(model: Generator | Learned, settings: Settings) -> Training:
            few = rows[: 4 * settings.batch]
            return lambda steps, after: fit(
                copy.deepcopy(model), few, settings, steps=steps, after_step=after, **options
            )

        def finetuning(model: Finetunable, settings: Settings) -> Training:
            few = rows[: 4 * settings.batch]
            images = mirror_images(model, few, few.dtype)
            return lambda steps, after: finetune(
                copy.deepcopy(model), few, images, settings, steps=steps, after_step=after, **options
            )

        settings = {"map": experiment.map_training, "samples": experiment.training}
        trainings = {"map": fitting(mirror, settings["map"]), "samples": fitting(behind, settings["samples"])}
        tuning = experiment.map_finetuning
        if tuning is not None and isinstance(mirror, Finetunable):
            settings["finetuning"], trainings["finetuning"] = tuning, finetuning(mirror, tuning)
        if experiment.baseline is not False:
            trainings["baseline"] = fitting(self._generator(self._event_shape), experiment.training)
        paces = paces_of(trainings)
        if "baseline" in paces and behind.generator.event_shape == self._event_shape:  # the very same network
            paces["baseline"] = paces["samples"] = min(paces["baseline"], paces["samples"])
        stages = [Stage(name, stage.steps, paces[name]) for name, stage in settings.items()]
        if "baseline" in paces:
            pace = paces["baseline"]
            stages.append(Stage("baseline", self._baseline_steps() or steps_within(stages, pace), pace))
        return stages


def _frozen(mirror: Learned) -> Learned:
    return copy.deepcopy(mirror).requires_grad_(False)


def _loaded(home: Path) -> Any:
    return tain.load(home).to(_device()).eval()


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _largest(value: float | tuple[float, ...]) -> float:
    return max(value) if isinstance(value, tuple) else value
