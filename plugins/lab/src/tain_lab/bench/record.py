"""What a bench is: named cases, a function that measures one of them, and how its figures are shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import attrs

from tain import Field

__all__ = ["Bench", "BenchSettings", "Figures", "Result"]

Figures = Mapping[str, Any]
"""The figures of one case as plain values, ready for JSON."""


@attrs.frozen
class BenchSettings:
    """What all benches can be told. Equal settings give equal figures on one machine, but for the times."""

    steps: Annotated[int, Field("training steps of each model", at_least=1)] = 10_000
    rows: Annotated[int, Field("rows compared; most published figures hold at 10,000", at_least=100)] = 10_000
    repeats: Annotated[int, Field("fresh draws of samples and of data that are compared", at_least=1)] = 2
    seed: Annotated[int, Field("of the data, the training and the samples", at_least=0)] = 0
    generator: Annotated[str, Field("name of the generator in the catalogue")] = "vector-diffusion"


@attrs.frozen
class Result:
    """What measuring one case gives: figures, and a PNG picture or none."""

    figures: Figures
    picture: bytes | None = None


@attrs.frozen
class Bench:
    """A benchmark.

    Attributes:
        name: how the command line calls it.
        summary: one line for listings.
        cases: names of what is measured, each on its own.
        measure: takes a case's name and the settings, and measures.
        row: the figures of one case as cells of a table, by column.
        verdict: one sentence on the figures of all cases.
        notes: lines below the table: what the columns mean, where the cases come from.
        goes_on: whether `measure` takes, third, a folder of the case's own, in which a measurement that was stopped
            finds what it had made. It is gone when all cases are measured.

    Example:
        >>> bench = Bench(
        ...     name="squares",
        ...     summary="whether squares come out right",
        ...     cases=("two", "three"),
        ...     measure=lambda case, settings: Result({"square": {"two": 4, "three": 9}[case]}),
        ...     row=lambda figures: {"square": str(figures["square"])},
        ...     verdict=lambda all_figures: f"{len(all_figures)} squares.",
        ... )
        >>> bench.row(bench.measure("three", BenchSettings()).figures)
        {'square': '9'}
    """

    name: str
    summary: str
    cases: tuple[str, ...]
    measure: Callable[..., Result]
    row: Callable[[Figures], dict[str, str]]
    verdict: Callable[[Sequence[Figures]], str]
    notes: tuple[str, ...] = ()
    goes_on: bool = False
