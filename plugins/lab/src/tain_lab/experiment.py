"""An experiment, as a TOML file tells it, read whole and checked before anything is computed or written.

title = "UK household budgets"
seed = 0

[data]
file = "household-budgets.csv"      # relative to this file
columns = ["food", "fuel", ...]
rounding = 5e-4                     # rows this near to the set are put back on it
detection_limit = 3e-4              # zeros stand for values below it

[constraint]
name = "simplex"                    # every other key goes to its constructor: `tain show simplex`
parts = 6

[generator]
name = "vector-diffusion"

A rule without an exact map needs one that is learned: [map] names it, and [map.training] and [finetuning] say how.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import attrs

from tain import (
    Constraint,
    Field,
    Generator,
    Learned,
    Mirrored,
    MirrorMap,
    catalogue,
    create,
    identify,
    mirror_for,
    offers,
    parameters,
)
from tain.capabilities import same_component
from tain.component import Kind
from tain.configured import bind
from tain.errors import ConfigurationError
from tain_lab.experiment_file import completed, read_record
from tain_lab.experiment_tables import BaselineSettings, DataSettings, FinetuningSettings, SampleSettings
from tain_lab.settings import Settings

__all__ = ["DataSettings", "Experiment", "SampleSettings", "experiment_of", "read_experiment"]


@attrs.frozen
class Experiment:
    """A whole experiment. Each table that names a component holds `name` and the arguments of its constructor."""

    data: DataSettings
    constraint: dict[str, Any]
    generator: Annotated[dict[str, Any], Field("its shape follows from the constraint")]
    mirror: Annotated[dict[str, Any] | None, Field("by default the best that the plugins offer")] = None
    map: Annotated[dict[str, Any] | None, Field("the mirror map, if it is to be learned")] = None
    training: Settings = Settings()  # noqa: RUF009 (a frozen record may be shared)
    finetuning: Annotated[bool | FinetuningSettings, Field("whether to train a learned map on generated images")] = True
    samples: SampleSettings = SampleSettings()  # noqa: RUF009 (likewise)
    baseline: Annotated[
        bool | BaselineSettings, Field("whether to train the same generator without a mirror map as well")
    ] = True
    title: str = ""
    seed: Annotated[int, Field("of everything random", at_least=0)] = 0

    def digest(self) -> str:
        """A fingerprint of everything that the results depend on, the data file's content included."""
        record = attrs.asdict(self)
        with Path(self.data.file).open("rb") as file:
            record["data"]["file"] = hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def require_rows(self, rows: int, mirror: MirrorMap) -> None:
        """Refuse batches that are larger than the number of rows to train on, or of images to finetune on.

        Raises:
            ConfigurationError: one is, or samples of a map that is exact are to be refined.
        """
        self.training.require_rows(rows)
        if isinstance(mirror, Learned):
            self.map_training.require_rows(rows)
            if self.map_finetuning is not None:
                self.map_finetuning.require_rows(min(rows, self.map_finetuning.count))
        elif self.samples.refine:
            raise ConfigurationError(
                f"[samples] refine is {self.samples.refine}, but {type(mirror).__name__} is exact. Leave it out."
            )

    def build_constraint(self) -> Constraint:
        """The rule."""
        built: Constraint = _build("constraint", self.constraint)
        return built

    @property
    def map_training(self) -> Settings:
        """How a learned map is trained."""
        settings: Settings = (self.map or {}).get("training", self.training)
        return settings

    @property
    def map_finetuning(self) -> FinetuningSettings | None:
        """How a learned map is finetuned; None if it is not."""
        if self.finetuning is True:
            return FinetuningSettings(**attrs.asdict(self.map_training))
        return self.finetuning or None

    def build_mirror(self, constraint: Constraint, event_shape: tuple[int, ...] | None = None) -> MirrorMap:
        """The mirror map of the rule: the one that the experiment names, or the best on offer for samples of a shape.

        Raises:
            ConfigurationError: it does not fit the rule, or [map] and [mirror] do not say the same.
            NoMirrorMapError: no plugin offers one.
        """
        if self.map is not None:
            return self._build_map(self.map, constraint, event_shape)
        if self.mirror is None:
            return mirror_for(constraint, event_shape=event_shape)
        return self._build_for("mirror", self.mirror, constraint, event_shape)

    def _build_map(
        self, table: dict[str, Any], constraint: Constraint, event_shape: tuple[int, ...] | None
    ) -> MirrorMap:
        table = {key: value for key, value in table.items() if key != "training"}
        if "name" not in table:
            learned = [mirror for mirror in offers(constraint, event_shape=event_shape) if isinstance(mirror, Learned)]
            if not learned:
                raise ConfigurationError(
                    f"[map] no installed plugin offers a map that is learned for {type(constraint).__name__}. Install "
                    'one, such as tain-namm, or give it a name, as in: name = "neural-mirror-map"'
                )
            table = {"name": identify(learned[0]).name, **table}
        built = self._build_for("map", table, constraint, event_shape)
        if not isinstance(built, Learned):
            raise ConfigurationError(f"[map] '{table['name']}' has nothing to learn. Call the table [mirror].")
        return built

    def _build_for(
        self, where: str, table: dict[str, Any], constraint: Constraint, event_shape: tuple[int, ...] | None
    ) -> MirrorMap:
        takes = parameters(catalogue.find("mirror-map", table["name"]).target)
        rules = (p for p in takes if isinstance(p.annotation, type) and isinstance(constraint, p.annotation))
        rule = next(rules, None)
        if rule is None and any(p.annotation is MirrorMap for p in takes):  # made of other maps, which bring the rule
            whole: MirrorMap = _build("mirror-map", table)
            if same_component(whole.constraint, constraint):
                return whole
        if rule is None:
            raise ConfigurationError(
                f"[{where}] '{table['name']}' does not take a {type(constraint).__name__}. Leave [{where}] out, and "
                "the best one on offer is taken."
            )
        derived = self._derived("mirror-map", table, event_shape)
        built: MirrorMap = _build("mirror-map", table, **{rule.name: constraint}, **derived)
        return built

    def _derived(self, kind: Kind, table: dict[str, Any], event_shape: tuple[int, ...] | None) -> dict[str, Any]:
        """What a component takes that the table does not say, and that follows from the rest."""
        takes = {p.name for p in parameters(catalogue.find(kind, table["name"]).target)}
        derived = {"event_shape": event_shape, "seed": self.seed}
        return {k: v for k, v in derived.items() if k in takes and k not in table and v is not None}

    def build_generator(self, event_shape: tuple[int, ...]) -> Generator:
        """A generator of samples of that shape."""
        derived = self._derived("generator", self.generator, event_shape)
        built: Generator = _build("generator", self.generator, **derived)
        return built

    def build_mirrored(self, mirror: MirrorMap, event_shape: tuple[int, ...]) -> Mirrored:
        """The generator behind the mirror map."""
        return Mirrored(mirror, self.build_generator(mirror.mirror_shape(event_shape)))


def read_experiment(path: Path) -> Experiment:
    """Read an experiment's TOML file; what its [sweep] would vary is as the other tables say.

    Raises:
        ConfigurationError: the file is missing or no TOML, a key is unknown or missing, a value is of another type or
            beyond its limit; the message names file, key and value.
    """
    record = read_record(path)
    record.pop("sweep", None)
    return experiment_of(record, path)


def experiment_of(record: dict[str, Any], path: Path) -> Experiment:
    """The experiment that the tables of a file tell, checked. Raises as `read_experiment` does."""
    experiment = Experiment(**bind(Experiment, completed(record, path), owner=str(path)))
    for table in ("constraint", "generator", "mirror"):
        settings = getattr(experiment, table)
        if settings is not None and not isinstance(settings.get("name"), str):
            raise ConfigurationError(f'{path}: [{table}] has no name. Give it one, as in: name = "simplex"')
    if experiment.map is not None and experiment.mirror is not None:
        raise ConfigurationError(
            f"{path}: has both [map] and [mirror]. Keep [map] if it is to be learned, else [mirror]."
        )
    file = str(Path(path).parent / experiment.data.file)
    return attrs.evolve(experiment, data=attrs.evolve(experiment.data, file=file))


def _build(kind: Kind, table: dict[str, Any], **derived: Any) -> Any:
    values = {key: value for key, value in table.items() if key != "name"}
    return create(kind, table["name"], **values, **derived)
