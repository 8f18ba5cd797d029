"""A plugin that is broken on purpose: its hook lacks a letter."""

import tain


class Rule(tain.Constraint):
    """A rule that would work."""

    event_ndim = 1

    def distance(self, x):
        return x.abs().sum(-1)


@tain.hookimpl
def tain_constraint():
    yield tain.Component("misspelt", Rule)
