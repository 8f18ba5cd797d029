"""The kit catches every mutant, every check catches one, and correct components pass."""

import sys
from pathlib import Path

import pytest

from tain import catalogue
from tain.testing import all_checks, run_checks


@pytest.fixture(scope="module")
def table():
    """The module that makes the table, in a catalogue that others do not see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import table

        catalogue.host.cache_clear()
        yield table
    catalogue.host.cache_clear()
    for name in ("table", "correct", "mutant", "wrong_constraints", "wrong_mirror_maps", "wrong_models"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def kills(table):
    return table.kills()


def test_there_are_many_mutants(table):
    assert len(table.MUTANTS) >= 40
    assert len({mutant.name for mutant in table.MUTANTS}) == len(table.MUTANTS)


def test_every_mutant_is_caught(kills):
    assert not [name for name, failed in kills.items() if not failed]


def test_every_check_catches_a_mutant(kills):
    caught = {check for failed in kills.values() for check in failed}
    assert not {check.name for check in all_checks()} - caught


def test_the_table_in_the_reference_is_up_to_date(table, kills):
    assert table.PAGE.read_text() == table.page(kills), "run: python tests/mutants/table.py"


def test_correct_components_pass(table):
    table.correct.register()
    for component in table.correct.subjects():
        report = run_checks(component, profile="quick")
        assert not report.failed, report
