"""tain: generative models whose samples keep a rule.

You name the rule as a `Constraint`; a `MirrorMap` carries the rule's set to a space without rules, a `Generator` is
fitted there, and its samples come back inside the set. `Mirrored` joins the two. A `Solver` answers constrained
questions with them. Each of the four is provided by plugins; `tain.create` and `tain.mirror_for` find them.

Names are loaded when first used, so that `import tain` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tain.affine import (
        AffineMap as AffineMap,
    )
    from tain.blocks import (
        Blocks as Blocks,
    )
    from tain.blocks_mirror import (
        BlocksMirror as BlocksMirror,
    )
    from tain.both import (
        Both as Both,
    )
    from tain.capabilities import (
        Combined as Combined,
        supports as supports,
    )
    from tain.catalogue import (
        Entry as Entry,
        create as create,
        entries as entries,
        find as find,
        host as host,
        identify as identify,
        register as register,
    )
    from tain.chain import (
        Chain as Chain,
    )
    from tain.checkpoint import (
        load as load,
        save as save,
    )
    from tain.component import (
        Component as Component,
        Kind as Kind,
    )
    from tain.configured import (
        Configured as Configured,
        configuration as configuration,
        parameters as parameters,
    )
    from tain.constraints import (
        Constraint as Constraint,
        Interior as Interior,
        Projectable as Projectable,
        Residual as Residual,
        Retractable as Retractable,
    )
    from tain.errors import (
        BrokenPluginError as BrokenPluginError,
        CheckpointError as CheckpointError,
        ConfigurationError as ConfigurationError,
        DataError as DataError,
        DuplicateNameError as DuplicateNameError,
        MissingCapabilityError as MissingCapabilityError,
        NoMirrorMapError as NoMirrorMapError,
        OutsideSetError as OutsideSetError,
        ShapeError as ShapeError,
        TainDeprecationWarning as TainDeprecationWarning,
        TainError as TainError,
        TrainingError as TrainingError,
        UnknownNameError as UnknownNameError,
    )
    from tain.explanation import (
        Explanation as Explanation,
    )
    from tain.fields import (
        Field as Field,
    )
    from tain.functions import (
        constraint as constraint,
    )
    from tain.generators import (
        Conditional as Conditional,
        Denoiser as Denoiser,
        Density as Density,
        Generator as Generator,
    )
    from tain.hookspecs import (
        hookimpl as hookimpl,
    )
    from tain.learned import (
        Finetunable as Finetunable,
        Learned as Learned,
    )
    from tain.mirror_maps import (
        Bijective as Bijective,
        Legendre as Legendre,
        MirrorMap as MirrorMap,
        Potential as Potential,
        Projective as Projective,
    )
    from tain.mirror_search import (
        mirror_for as mirror_for,
        offers as offers,
    )
    from tain.mirrored import (
        Mirrored as Mirrored,
    )
    from tain.one_off import (
        load_plugin as load_plugin,
    )
    from tain.preimage import (
        Preimage as Preimage,
    )
    from tain.refined import (
        Refined as Refined,
        refine as refine,
    )
    from tain.solvers import (
        Fit as Fit,
        Posterior as Posterior,
        Problem as Problem,
        Solution as Solution,
        Solver as Solver,
        Target as Target,
    )

_HOME = {
    "affine": "AffineMap",
    "blocks": "Blocks",
    "blocks_mirror": "BlocksMirror",
    "both": "Both",
    "capabilities": "Combined supports",
    "catalogue": "Entry create entries find host identify register",
    "chain": "Chain",
    "checkpoint": "load save",
    "component": "Component Kind",
    "configured": "Configured configuration parameters",
    "constraints": "Constraint Interior Projectable Residual Retractable",
    "errors": "BrokenPluginError CheckpointError ConfigurationError DataError DuplicateNameError "
    "MissingCapabilityError NoMirrorMapError OutsideSetError ShapeError TainDeprecationWarning TainError "
    "TrainingError UnknownNameError",
    "explanation": "Explanation",
    "fields": "Field",
    "functions": "constraint",
    "generators": "Conditional Denoiser Density Generator",
    "hookspecs": "hookimpl",
    "learned": "Finetunable Learned",
    "mirror_maps": "Bijective Legendre MirrorMap Potential Projective",
    "mirror_search": "mirror_for offers",
    "mirrored": "Mirrored",
    "one_off": "load_plugin",
    "preimage": "Preimage",
    "refined": "Refined refine",
    "solvers": "Fit Posterior Problem Solution Solver Target",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tain' has no attribute '{name}'")
    value = getattr(import_module(f"tain.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
