"""The report of a run: one self-contained HTML file for people, a JSON beside it for programs."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from tain.atomic import write_text

__all__ = ["write_report"]


def write_report(folder: Path, record: Mapping[str, Any], pictures: Mapping[str, bytes]) -> None:
    """Write report.html, with the pictures inside, and report.json.

    Args:
        folder: where.
        record: plain values, as `tain_lab.run` collects them.
        pictures: PNG files by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tain_lab"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["percent"] = _percent
    environment.filters["each"] = _each
    inline = {name: base64.b64encode(content).decode() for name, content in pictures.items()}
    html = environment.get_template("report.html.jinja").render(**record, pictures=inline)
    write_text(folder / "report.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
    write_text(folder / "report.html", html)


def _percent(share: float) -> str:
    """A share as percent, never rounded to 0 or 100 when it is neither."""
    text = f"{100 * share:.2f}"
    if text in ("0.00", "100.00") and share not in (0, 1):
        text = f"{100 * share:.4g}"
    return f"{text.rstrip('0').rstrip('.')}%"


def _each(values: Sequence[float]) -> str:
    """One number for each part of the rule; only one if they are all the same."""
    shown = [f"{value:.3g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else ", ".join(shown)
