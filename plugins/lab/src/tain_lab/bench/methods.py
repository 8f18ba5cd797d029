"""The trainings of the bench namm: the same data for a learned map, an exact one, and no map at all."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, final

import attrs
import torch
from torch import Tensor

import tain
from tain import Constraint, Finetunable, Generator, Mirrored, Refined
from tain_lab.bench.kept import Kept, Part
from tain_lab.bench.models import TRAINING, build
from tain_lab.bench.record import BenchSettings
from tain_lab.bench.rules import RuleCase, exact_map
from tain_lab.finetuning import finetune
from tain_lab.pace import Stage, steps_within
from tain_lab.sampling import draw
from tain_lab.settings import Settings
from tain_lab.training import fit

__all__ = ["METHODS", "Methods", "baseline_steps", "learned_maps"]

METHODS = ("baseline", "NAMM", "NAMM finetuned", "NAMM refined", "exact map")

_IMAGES = Settings(batch=32, learning_rate=1e-3)
_MARGIN = 1.05  # steps of the baseline do not all take what those of the mirror diffusion took
_FOR_FINETUNING = 2000  # images; each takes some twenty evaluations of the generator
_ROWS = 256  # brought back at once


def baseline_steps(stages: list[Stage], pace: float) -> int:
    """The steps that take the baseline at least as long as all stages together, with 5% to spare.

    >>> baseline_steps([Stage("map", 100, 0.5), Stage("generator", 40, 1.0)], pace=1.0)
    95
    """
    return steps_within(stages, pace / _MARGIN)


def learned_maps() -> Any:
    """The package of the neural mirror map, as the catalogue tells: the lab needs no plugin by itself."""
    return import_module(tain.find("mirror-map", "neural-mirror-map").target.__module__.partition(".")[0])


@final
class Methods:
    """All that is trained for a rule.

    Args:
        entry: the case.
        name: of the rule.
        rule: to be kept.
        train: rows (N, C, H, W) that keep it.
        settings: of the bench; `steps` are those of the mirror diffusion, and the learned map's trainings take the
            share of them that its recipe gives them.
        kept: where trained parts are.

    Attributes:
        parts: what was trained, by name.
        drawing: seconds that the images took that the map was finetuned on.
    """

    def __init__(
        self, entry: RuleCase, name: str, rule: Constraint, train: Tensor, settings: BenchSettings, kept: Kept
    ) -> None:
        self._entry, self._name, self._rule, self._train = entry, name, rule, train
        self._settings, self._kept = settings, kept
        self._shape = tuple(train.shape[1:])
        self._namm = learned_maps()
        self._recipe = self._namm.recipe(rule)
        self._exact = exact_map(rule, self._shape)
        self.parts: dict[str, Part[Any]] = {}
        self.drawing = 0.0

    def train(self) -> None:
        """Train whatever was not trained before. The baseline comes when it is known what the others took."""
        recipe, steps, seed = self._recipe, self._settings.steps, self._settings.seed
        share = {
            "map": recipe.map_steps / recipe.generator_steps,
            "finetuning": recipe.finetuning_steps / recipe.generator_steps,
        }
        mapping, tuning = (self._of_map(max(1, round(steps * share[key]))) for key in ("map", "finetuning"))
        mirror = self._part("map", self._new_map, self._fitted(mapping)).model

        def mirrored(model: Generator, **options: Any) -> list[float]:
            return fit(Mirrored(mirror, model), self._train, self._of_images(steps), seed=seed, **options)

        mirror.requires_grad_(False)
        generator = self._part("mirror diffusion", self._image_generator, mirrored).model

        drawn = self._images_to_tune_on(generator, min(len(self._train), tuning.steps * tuning.batch))

        def tuned(model: Finetunable, **options: Any) -> list[float]:
            return finetune(model, self._train, drawn, tuning, seed=seed, **options)

        self._part("finetuning", lambda: self._kept.loaded("map"), tuned)
        stages = [Stage(key, len(part.losses), part.pace) for key, part in self.parts.items()]
        stages.append(Stage("drawing", 1, self.drawing))
        count = baseline_steps(stages, self.parts["mirror diffusion"].pace)  # the network is the very same
        self._part("baseline", self._image_generator, self._fitted(self._of_images(count)))
        if self._exact is not None:
            self._part("exact map", self._exact_model, self._fitted(self._of_exact(count)))

    def _images_to_tune_on(self, generator: Generator, count: int) -> Tensor:
        started, count = time.process_time(), min(count, _FOR_FINETUNING)
        drawn = self._kept.array("images", lambda: draw(generator, count, self._settings.seed, "images to finetune on"))
        self.drawing = self._kept.plain("drawing", lambda: time.process_time() - started)
        return drawn

    def images(self, count: int) -> Tensor:
        """Fresh mirror images, of which the learned map's samples are made: (count, C, H, W)."""
        return draw(self.parts["mirror diffusion"].model, count, self._settings.seed)

    @torch.no_grad()
    def samples(self, images: Tensor) -> dict[str, Tensor]:
        """As many samples of each method, (N, C, H, W), by its name."""
        maps = {"NAMM": self.parts["map"].model, "NAMM finetuned": self.parts["finetuning"].model}
        maps["NAMM refined"] = Refined(maps["NAMM finetuned"])
        found = {"baseline": self._drawn("baseline", len(images))}
        found |= {key: torch.cat([m.inverse(part) for part in images.split(_ROWS)]) for key, m in maps.items()}
        return found | ({"exact map": self._drawn("exact map", len(images))} if "exact map" in self.parts else {})

    def bounds(self, held_out: Tensor, images: Tensor) -> dict[str, float]:
        """Those of the finetuned map."""
        bounds: dict[str, float] = self.parts["finetuning"].model.measure(held_out, images)
        return bounds

    def _drawn(self, key: str, count: int) -> Tensor:
        return draw(self.parts[key].model, count, self._settings.seed)

    def _part(self, key: str, new: Callable[[], Any], train: Callable[..., list[float]]) -> Part[Any]:
        def labelled(model: Any, **options: Any) -> list[float]:
            return train(model, label=f"{self._name}: {key}", **options)

        self.parts[key] = self._kept.trained(key.replace(" ", "-"), new, labelled)
        return self.parts[key]

    def _fitted(self, settings: Settings) -> Callable[..., list[float]]:
        return lambda model, **options: fit(model, self._train, settings, seed=self._settings.seed, **options)

    def _new_map(self) -> Finetunable:
        options = {"seed": self._settings.seed, **self._recipe.mirror}
        made: Finetunable = self._namm.NeuralMirrorMap(self._rule, self._shape, **options)
        return made

    def _image_generator(self, shape: tuple[int, ...] | None = None) -> Generator:
        padding = "periodic" if self._entry.periodic else "zeros"
        return build("image-diffusion", shape or self._shape, self._settings.seed, padding=padding)

    def _exact_model(self) -> Mirrored:
        assert self._exact is not None
        shape = self._exact.mirror_shape(self._shape)
        vectors = len(shape) < 3  # of a state of one dimension
        generator = build(self._settings.generator, shape, self._settings.seed) if vectors else None
        return Mirrored(self._exact, generator or self._image_generator(shape))

    def _of_images(self, steps: int) -> Settings:
        return attrs.evolve(_IMAGES, steps=steps, batch=min(_IMAGES.batch, len(self._train)))

    def _of_map(self, steps: int) -> Settings:
        batch = min(self._recipe.batch, len(self._train))
        return Settings(steps=steps, batch=batch, learning_rate=self._recipe.learning_rate)

    def _of_exact(self, steps: int) -> Settings:
        """As many steps as the baseline; they never take longer than its."""
        assert self._exact is not None
        if len(self._exact.mirror_shape(self._shape)) == 3:
            return self._of_images(steps)
        return attrs.evolve(TRAINING, steps=steps, batch=min(TRAINING.batch, len(self._train)))
