"""A plugin that is broken on purpose: its hook takes an argument that there is not."""

import tain


class Rule(tain.Constraint):
    """A rule that would work."""

    event_ndim = 1

    def distance(self, x):
        return x.abs().sum(-1)


@tain.hookimpl
def tain_constraints(settings):
    yield tain.Component("signed", Rule)
