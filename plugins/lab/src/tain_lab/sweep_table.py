"""The table of a sweep: a row for each run, the columns that tell the runs apart and those that tell what came out."""

import csv
import io
from pathlib import Path
from typing import Any, final

from rich.table import Table

from tain.atomic import write_text
from tain_lab.evaluation import REAL

__all__ = ["SweepTable"]

_TOLD = ("mean distance", "outside", "MMD", "baseline: mean distance", "baseline: MMD")


@final
class SweepTable:
    """What the runs of a sweep reached.

    Args:
        keys: the dotted keys that the runs differ in.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._rows: list[dict[str, Any]] = []

    def add(self, values: dict[str, Any], report: dict[str, Any]) -> None:
        """Add a run: its values by key, and the record of its report."""
        self._rows.append({**values, **_figures(report)})

    def write(self, folder: Path) -> None:
        """Write sweep.md, for people, and sweep.csv, with all digits."""
        heads = self._columns()
        cells = [[_text(row.get(column, "")) for column in heads] for row in self._rows]
        lines = [" | ".join(heads), " | ".join("---" for _ in heads), *(" | ".join(row) for row in cells)]
        write_text(folder / "sweep.md", "".join(f"| {line} |\n" for line in lines))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(folder / "sweep.csv", text.getvalue())

    def told(self) -> Table:
        """The table for a terminal: what matters most, so that it fits."""
        outcomes = [column for column in _TOLD if column in self._columns()]
        heads = [*(key.rpartition(".")[2] for key in self._keys), *outcomes]
        table = Table(title="Sweep", title_justify="left")
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in self._rows:
            table.add_row(*(_text(row.get(column, "")) for column in (*self._keys, *outcomes)))
        return table

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(column for row in self._rows for column in row))


def _figures(report: dict[str, Any]) -> dict[str, float]:
    evaluation = report["evaluation"]
    figures: dict[str, float] = {}
    for name, rule in evaluation["rule"].items():
        prefix = "" if name == "samples" else f"{name}: "
        figures[f"{prefix}mean distance"] = rule["mean_distance"]
        figures[f"{prefix}largest distance"] = rule["largest_distance"]
        figures[f"{prefix}outside"] = rule["outside"]
        for distance in ("MMD", "energy distance"):
            figures[f"{prefix}{distance}"] = evaluation["distances"][distance][name]["median"]
    figures["MMD of real rows"] = evaluation["distances"]["MMD"][REAL]["median"]
    for name, bound in report["bounds"].items():
        figures[f"bound: {name}"] = bound
    return figures


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
