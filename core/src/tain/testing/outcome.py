"""How a check ends, when it does not pass."""

import unittest

__all__ = ["CheckError", "NotApplicable"]


class CheckError(AssertionError):
    """A component does not do what a check demands of it."""


class NotApplicable(unittest.SkipTest):
    """A check cannot be made of a component, for the reason that the message names."""
