"""The record of a mutant: a wrong component and what is wrong with it."""

import re
from typing import Any

import attrs

import tain

MUTANTS = []


@attrs.frozen
class Mutant:
    """A wrong component.

    Attributes:
        name: in the table.
        fault: what is wrong, in a sentence.
        component: the wrong one.
        kind: of which it is.
    """

    name: str
    fault: str
    component: Any
    kind: str

    def register(self):
        """Give its class a name in the catalogue, so that it can be saved."""
        if not isinstance(self.component, tain.Mirrored):
            tain.register(self.kind, tain.Component(f"mutant-{self.name}", type(self.component)))


def mutant(kind, *arguments):
    """Add a wrong class to the list: an instance made from `arguments`, and measured if it is a learned map."""

    def add(made):
        name = "-".join(re.findall(r"[A-Z][a-z]*", made.__name__)).lower()
        MUTANTS.append(Mutant(name, made.__doc__, measured(made(*arguments)), kind))
        return made

    return add


def measured(component):
    """The component; a learned map is measured first, as after training."""
    if isinstance(component, tain.Learned):
        component.measure(component.constraint.interior(500, rng=0))
    return component
