"""The tables of an experiment that hold no component. [training] is in `tain_lab.settings`."""

from typing import Annotated

import attrs

from tain import Field
from tain_lab.settings import Settings

__all__ = ["BaselineSettings", "DataSettings", "FinetuningSettings", "SampleSettings"]


@attrs.frozen
class DataSettings:
    """The table [data]."""

    file: Annotated[str, Field("the data file, relative to the experiment's")]
    columns: Annotated[tuple[str, ...] | None, Field("the columns to model, of a table; all if not given")] = None
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
    refine: Annotated[int, Field("most steps that bring each sample of a learned map nearer", at_least=0)] = 0


@attrs.frozen
class BaselineSettings:
    """The table [baseline]."""

    steps: Annotated[
        int | None, Field("number of optimiser steps; by default what takes the time of all that it is compared to")
    ] = None


@attrs.frozen
class FinetuningSettings(Settings):
    """The table [finetuning]: how a learned map is trained on what the generator gives."""

    count: Annotated[int, Field("number of images that the generator gives for it", at_least=1)] = 1000
