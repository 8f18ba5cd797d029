"""A plugin that is broken on purpose: its hook raises."""

import tain


@tain.hookimpl
def tain_constraints():
    raise ValueError("not today")
