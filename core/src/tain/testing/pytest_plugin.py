"""The pytest option --tain-conformance. Pytest imports this module in every run, so it imports next to nothing."""

from pathlib import Path
from typing import Any

__all__ = ["pytest_addoption", "pytest_configure"]

_TESTS = Path(__file__).with_name("conformance_tests.py")


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.getgroup("tain").addoption(
        "--tain-conformance",
        action="store_true",
        help="test every component of every installed tain plugin through its own examples (select some with -k); "
        "TAIN_TESTING_PROFILE is quick, default or thorough",
    )


def pytest_configure(config: Any) -> None:
    """With the option, collect the conformance tests: alone, or beside the paths that are given."""
    if config.getoption("tain_conformance") and str(_TESTS) not in config.args:
        given = config.args if config.args_source is config.ArgsSource.ARGS else []
        config.args = [*given, str(_TESTS)]
