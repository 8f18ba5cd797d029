"""Samples of a trained model: drawn as `tain run` draws them, and into a file as `tain sample` does."""

from pathlib import Path

import torch
from torch import Tensor

import tain
from tain import Generator, Mirrored
from tain.checkpoint import read_manifest
from tain.errors import CheckpointError, ConfigurationError, DataError
from tain_lab.arrays import write_array
from tain_lab.metrics import keep_rule
from tain_lab.randomness import stream
from tain_lab.tables import FORMATS, write_table

__all__ = ["draw", "sample_to_file"]

_ROWS = 256
"""Arrays drawn at once, so that many images do not fill the memory."""


@torch.no_grad()
def draw(model: Generator, count: int, seed: int, purpose: str = "samples") -> Tensor:
    """Samples, shape (count, *event_shape), float32, on the CPU. Same seed and purpose, same samples.

    Vectors are drawn all at once, arrays 256 at a time, each time from a stream of their own.
    """
    if len(model.event_shape) == 1:
        return model.sample(count, rng=stream(seed, purpose)).float().cpu()
    starts = range(0, count, _ROWS)
    parts = [model.sample(min(_ROWS, count - start), rng=stream(seed, purpose, start)) for start in starts]
    return torch.cat([part.float().cpu() for part in parts])


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
    arrays = len(generator.event_shape) > 1
    if arrays and output.suffix.lower() != ".npy":
        shape = ", ".join(map(str, generator.event_shape))
        raise DataError(f"{output}: the samples are arrays of shape ({shape}). Give a file that ends in .npy.")
    samples = draw(generator, count, seed)
    if arrays:
        write_array(output, samples)
    else:
        columns = read_manifest(folder)["notes"].get("columns") or [f"x{i}" for i in range(samples.shape[1])]
        write_table(output, columns, samples.numpy())
    said = f"{count} samples written to {output}."
    if isinstance(generator, Mirrored):
        figures = keep_rule(samples, generator.mirror.constraint)
        inside = round(count * (1 - figures.outside))
        said += f" {inside} keep the rule, largest distance {figures.largest_distance:.3g}."
    return said
