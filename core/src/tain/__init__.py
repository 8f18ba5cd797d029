"""tain: generative models whose samples keep a rule.

You name the rule as a `Constraint`; a `MirrorMap` carries the rule's set to a space without rules, a `Generator` is
fitted there, and its samples come back inside the set. `Mirrored` joins the two. A `Solver` answers constrained
questions with them. Each of the four is provided by plugins; `tain.create` and `tain.mirror_for` find them.

Names are loaded when first used, so that `import tain` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain.catalogue import Entry, create, entries, find, host, identify, register
    from tain.checkpoint import load, save
    from tain.component import Component, Kind
    from tain.configured import Configured, Field, configuration, parameters
    from tain.constraints import Constraint, Explanation, Interior, Projectable, Residual, Retractable
    from tain.errors import (
        BrokenPluginError,
        CheckpointError,
        ConfigurationError,
        DataError,
        DuplicateNameError,
        MissingCapabilityError,
        NoMirrorMapError,
        OutsideSetError,
        ShapeError,
        TainError,
        TrainingError,
        UnknownNameError,
    )
    from tain.functions import constraint
    from tain.generators import Denoiser, Density, Generator
    from tain.hookspecs import hookimpl
    from tain.mirror_maps import Learned, Legendre, MirrorMap, Projective
    from tain.mirrored import Mirrored
    from tain.offers import mirror_for, offers
    from tain.solvers import Fit, Posterior, Problem, Solution, Solver, Target

_HOME = {
    "catalogue": "Entry create entries find host identify register",
    "checkpoint": "load save",
    "component": "Component Kind",
    "configured": "Configured Field configuration parameters",
    "constraints": "Constraint Explanation Interior Projectable Residual Retractable",
    "errors": "BrokenPluginError CheckpointError ConfigurationError DataError DuplicateNameError "
    "MissingCapabilityError NoMirrorMapError OutsideSetError ShapeError TainError TrainingError UnknownNameError",
    "functions": "constraint",
    "generators": "Denoiser Density Generator",
    "hookspecs": "hookimpl",
    "mirror_maps": "Learned Legendre MirrorMap Projective",
    "mirrored": "Mirrored",
    "offers": "mirror_for offers",
    "solvers": "Fit Posterior Problem Solution Solver Target",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 (the table above is the one list of names)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain' has no attribute '{name}'")
    value = getattr(import_module(f"tain.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
