"""A plugin that is broken on purpose: it is no Python."""

def tain_constraints(:
