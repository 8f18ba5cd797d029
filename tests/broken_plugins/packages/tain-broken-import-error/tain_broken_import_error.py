"""A plugin that is broken on purpose: it imports a name that is not there."""

from tain import ThisNameIsNotThere
