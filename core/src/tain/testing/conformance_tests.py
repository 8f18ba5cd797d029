"""What `pytest --tain-conformance` collects: every check of every installed component."""

from typing import Any

from tain.testing.conformance import conformance_cases

__all__ = ["pytest_generate_tests", "test_conformance"]


def pytest_generate_tests(metafunc: Any) -> None:
    """Have pytest make a case of each check of each example."""
    metafunc.parametrize("case", list(conformance_cases()))


def test_conformance(case: Any) -> None:
    """One check of one installed component."""
    case()
