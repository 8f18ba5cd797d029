"""The tables of benches in the docs are those that the command made of the figures beside them."""

import json
from pathlib import Path

import pytest

from tain_lab.bench.run import find_bench, table_of

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = sorted((DOCS / "benchmarks").glob("*.json"))


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_a_table_is_made_of_its_figures_and_shown(path):
    record = json.loads(path.read_text())
    table = path.with_suffix(".md").read_text()
    assert table == table_of(find_bench(record["bench"]), record)
    assert any(table in page.read_text() for page in (DOCS / "reference").glob("*.md"))


def test_there_are_tables():
    assert {path.stem for path in FIGURES} >= {"likelihood", "mirror-suite"}
