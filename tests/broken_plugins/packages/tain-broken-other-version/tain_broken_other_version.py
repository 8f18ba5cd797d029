"""A plugin that is broken on purpose: it was built for another version of the hooks."""

import tain


class Rule(tain.Constraint):
    """A rule that would work."""

    event_ndim = 1

    def distance(self, x):
        return x.abs().sum(-1)


TAIN_HOOK_API = 2


@tain.hookimpl
def tain_constraints():
    yield tain.Component("newer", Rule)
