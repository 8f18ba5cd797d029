"""A plugin that is broken on purpose: its hook raises after its first component."""

import tain


class Rule(tain.Constraint):
    """A rule that would work."""

    event_ndim = 1

    def distance(self, x):
        return x.abs().sum(-1)


@tain.hookimpl
def tain_constraints():
    yield tain.Component("half", Rule)
    raise RuntimeError("the other half is lost")
