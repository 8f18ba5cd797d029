"""`tain sample`: samples of a trained model, into a file."""

from pathlib import Path

import tain
from tain import Generator, Mirrored
from tain.checkpoint import read_manifest
from tain.errors import CheckpointError, ConfigurationError, DataError
from tain_lab.metrics import keep_rule
from tain_lab.randomness import stream
from tain_lab.tables import FORMATS, write_table

__all__ = ["sample_to_file"]


def sample_to_file(model: Path, output: Path, count: int, seed: int, *, overwrite: bool = False) -> str:
    """Draw samples and write them. Arguments as in the command; returns a sentence on what was done.

    With the seed and count of the run that trained the model, these are the run's own samples.
    """
    if count < 1:
        raise ConfigurationError(f"--count is {count}, but must be at least 1.")
    if output.suffix.lower() not in FORMATS:
        raise DataError(f"{output}: unknown kind of data file '{output.suffix}'. Known: {', '.join(FORMATS)}.")
    if output.exists() and not overwrite:
        raise DataError(f"{output}: exists. Give another file, or --overwrite to replace it.")
    if not output.parent.is_dir():
        raise DataError(f"{output.parent}: no such folder.")
    folder = model / "model" if (model / "run.json").is_file() else model
    generator = tain.load(folder)
    if not isinstance(generator, Generator):
        raise CheckpointError(f"{folder}: holds a {type(generator).__name__}, but samples come from a generator.")
    samples = generator.sample(count, rng=stream(seed, "samples")).float()
    if samples.ndim != 2:
        raise DataError(f"{folder}: its samples have shape {tuple(samples.shape)}, but a table holds vectors only.")
    columns = read_manifest(folder)["notes"].get("columns") or [f"x{i}" for i in range(samples.shape[1])]
    write_table(output, columns, samples.numpy())
    said = f"{count} samples written to {output}."
    if isinstance(generator, Mirrored):
        figures = keep_rule(samples, generator.mirror.constraint)
        inside = round(count * (1 - figures.outside))
        said += f" {inside} keep the rule, largest distance {figures.largest_distance:.3g}."
    return said
