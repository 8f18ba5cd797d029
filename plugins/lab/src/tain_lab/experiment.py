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
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import attrs

from tain import Constraint, Field, Generator, Mirrored, MirrorMap, catalogue, create, mirror_for, parameters
from tain.capabilities import same_component
from tain.component import Kind
from tain.configured import bind
from tain.errors import ConfigurationError, one_line
from tain_lab.settings import Settings

__all__ = ["DataSettings", "Experiment", "SampleSettings", "read_experiment"]


@attrs.frozen
class DataSettings:
    """The table [data]."""

    file: Annotated[str, Field("the data file, relative to the experiment's")]
    columns: Annotated[tuple[str, ...] | None, Field("the columns to model; all if not given")] = None
    held_out: Annotated[float, Field("share of the rows that samples are judged by", above=0, below=1)] = 0.2
    rounding: Annotated[
        float | tuple[float, ...],
        Field("distance to the set up to which a row counts as rounded; of all blocks, or of each", at_least=0),
    ] = 0.0
    detection_limit: Annotated[
        float | tuple[float, ...],
        Field("the smallest value that can be measured; of all blocks, or of each", at_least=0),
    ] = 0.0


@attrs.frozen
class SampleSettings:
    """The table [samples]."""

    count: Annotated[int, Field("number of samples to draw", at_least=1)] = 10_000


@attrs.frozen
class Experiment:
    """A whole experiment. Each table that names a component holds `name` and the arguments of its constructor."""

    data: DataSettings
    constraint: dict[str, Any]
    generator: Annotated[dict[str, Any], Field("its shape follows from the constraint")]
    mirror: Annotated[dict[str, Any] | None, Field("by default the best that the plugins offer")] = None
    training: Settings = Settings()  # noqa: RUF009 (a frozen record may be shared)
    samples: SampleSettings = SampleSettings()
    baseline: Annotated[bool, Field("whether to train the same generator without a mirror map as well")] = True
    title: str = ""
    seed: Annotated[int, Field("of everything random", at_least=0)] = 0

    def digest(self) -> str:
        """A fingerprint of everything that the results depend on, the data file's content included."""
        record = attrs.asdict(self)
        record["data"]["file"] = hashlib.sha256(Path(self.data.file).read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def build_constraint(self) -> Constraint:
        """The rule."""
        built: Constraint = _build("constraint", self.constraint)
        return built

    def build_mirror(self, constraint: Constraint) -> MirrorMap:
        """The mirror map of the rule: the one that the experiment names, or the best on offer."""
        if self.mirror is None:
            return mirror_for(constraint)
        takes = parameters(catalogue.find("mirror-map", self.mirror["name"]).target)
        rules = (p for p in takes if isinstance(p.annotation, type) and isinstance(constraint, p.annotation))
        rule = next(rules, None)
        if rule is None and any(p.annotation is MirrorMap for p in takes):  # made of other maps, which bring the rule
            whole: MirrorMap = _build("mirror-map", self.mirror)
            if same_component(whole.constraint, constraint):
                return whole
        if rule is None:
            raise ConfigurationError(
                f"[mirror] '{self.mirror['name']}' does not take a {type(constraint).__name__}. Leave [mirror] out, "
                "and the best one on offer is taken."
            )
        built: MirrorMap = _build("mirror-map", self.mirror, **{rule.name: constraint})
        return built

    def build_generator(self, event_shape: tuple[int, ...]) -> Generator:
        """A generator of samples of that shape."""
        takes = {p.name for p in parameters(catalogue.find("generator", self.generator["name"]).target)}
        derived = {"event_shape": event_shape, "seed": self.seed}
        missing = {key: value for key, value in derived.items() if key in takes and key not in self.generator}
        built: Generator = _build("generator", self.generator, **missing)
        return built

    def build_mirrored(self, mirror: MirrorMap, event_shape: tuple[int, ...]) -> Mirrored:
        """The generator behind the mirror map."""
        return Mirrored(mirror, self.build_generator(mirror.mirror_shape(event_shape)))


def read_experiment(path: Path) -> Experiment:
    """Read an experiment's TOML file.

    Raises:
        ConfigurationError: the file is missing or no TOML, a key is unknown or missing, a value is of another type or
            beyond its limit; the message names file, key and value.
    """
    path = Path(path)
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file.") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigurationError(f"{path}: cannot be read as TOML ({one_line(str(cause))}).") from cause
    experiment = Experiment(**bind(Experiment, record, owner=str(path)))
    for table in ("constraint", "generator", "mirror"):
        settings = getattr(experiment, table)
        if settings is not None and not isinstance(settings.get("name"), str):
            raise ConfigurationError(f'{path}: [{table}] has no name. Give it one, as in: name = "simplex"')
    file = str(path.parent / experiment.data.file)
    return attrs.evolve(experiment, data=attrs.evolve(experiment.data, file=file))


def _build(kind: Kind, table: dict[str, Any], **derived: Any) -> Any:
    values = {key: value for key, value in table.items() if key != "name"}
    return create(kind, table["name"], **values, **derived)
