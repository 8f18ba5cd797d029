"""The hooks that a plugin may implement. Each returns records; none is told anything of the others. Imports no torch.

A plugin is a distribution with an entry point in the group `tain` that names a module:

    [project.entry-points.tain]
    flux = "tain_flux.plugin"

Import torch and the component classes inside the hook functions, so that listing plugins stays cheap.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from tain.component import Component

if TYPE_CHECKING:
    from tain.constraints import Constraint
    from tain.mirror_maps import MirrorMap

__all__ = ["ENTRY_POINT_GROUP", "HOOK_API", "hookimpl", "hookspec"]

ENTRY_POINT_GROUP = "tain"

HOOK_API = 1
"""The version of these hooks. It changes only when a plugin that worked might not any more; a new hook, or a new
argument that an implementation need not take, does not change it. A plugin's module may say what it was built for, as
`TAIN_HOOK_API = 1`: another version then loads as broken, with a message that says what to upgrade."""

hookspec: Any = pluggy.HookspecMarker("tain")
hookimpl: Any = pluggy.HookimplMarker("tain")
"""Marks a function of a plugin as its implementation of the hook of the same name."""


@hookspec
def tain_constraints() -> Iterable[Component]:
    """The constraints that this plugin provides.

    Example:
        @tain.hookimpl
        def tain_constraints():
            from tain_flux.flux import Flux

            yield tain.Component("flux", Flux, summary="fixed total flux")
    """


@hookspec
def tain_mirror_maps() -> Iterable[Component]:
    """The mirror maps that this plugin provides.

    Example:
        @tain.hookimpl
        def tain_mirror_maps():
            from tain_flux.mirror import FluxMirror

            yield tain.Component("flux-mirror", FluxMirror, summary="softmax, scaled to the flux")
    """


@hookspec
def tain_generators() -> Iterable[Component]:
    """The generators that this plugin provides.

    Example:
        @tain.hookimpl
        def tain_generators():
            from tain_coupling.flow import CouplingFlow

            yield tain.Component("coupling-flow", CouplingFlow, summary="a normalising flow for vectors")
    """


@hookspec
def tain_solvers() -> Iterable[Component]:
    """The solvers that this plugin provides.

    Example:
        @tain.hookimpl
        def tain_solvers():
            from tain_gibbs.solver import Gibbs

            yield tain.Component("gibbs", Gibbs, summary="Gibbs sampling of a posterior")
    """


@hookspec
def tain_mirror_for(constraint: "Constraint", event_shape: tuple[int, ...] | None) -> Iterable["MirrorMap"]:
    """Mirror maps that fit `constraint`, the best first; nothing if this plugin has none.

    `event_shape` is the shape of one sample if whoever asks takes a map that has to be trained, else None. A plugin
    whose maps need no training leaves the argument out.

    Example:
        @tain.hookimpl
        def tain_mirror_for(constraint, event_shape):
            from tain_flux.flux import Flux
            from tain_flux.mirror import FluxMirror, LearnedFluxMirror

            if isinstance(constraint, Flux):
                yield FluxMirror(constraint)
                if event_shape is not None:
                    yield LearnedFluxMirror(constraint, event_shape)
    """
