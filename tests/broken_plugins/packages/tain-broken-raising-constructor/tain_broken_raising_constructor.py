"""A plugin that is broken on purpose: its component cannot be made."""

import tain


class Rule(tain.Constraint):
    """A rule whose constructor raises."""

    event_ndim = 1

    def __init__(self):
        super().__init__()
        raise OSError("the table of constants is missing")

    def distance(self, x):
        return x.abs().sum(-1)


@tain.hookimpl
def tain_constraints():
    yield tain.Component("raising", Rule)
