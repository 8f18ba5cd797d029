"""A plugin that is broken on purpose: it gives a name that tain-analytic has."""

import tain


class Rule(tain.Constraint):
    """A rule that would work."""

    event_ndim = 1

    def distance(self, x):
        return x.abs().sum(-1)


@tain.hookimpl
def tain_constraints():
    yield tain.Component("simplex", Rule)
