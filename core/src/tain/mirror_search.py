"""Finding the mirror map of a constraint among all that the installed plugins offer."""

from tain.blocks import Blocks
from tain.capabilities import supports
from tain.catalogue import host
from tain.constraints import Constraint, Projectable
from tain.errors import ConfigurationError, NoMirrorMapError, one_line
from tain.learned import Learned
from tain.mirror_maps import Bijective, Legendre, MirrorMap, Potential, Projective
from tain.registry import registry

__all__ = ["mirror_for", "offers"]

_BEST_FIRST: tuple[type[MirrorMap], ...] = (Legendre, Bijective, Potential, Projective, Learned, MirrorMap)


def offers(constraint: Constraint) -> tuple[MirrorMap, ...]:
    """All mirror maps offered for a constraint, the best first.

    Legendre maps come first, then other bijections, gradients of potentials that are many to one, projections, and
    learned maps.

    Raises:
        ConfigurationError: it is no constraint.
    """
    if not isinstance(constraint, Constraint):  # else the plugins that stumble over it would be called broken
        raise ConfigurationError(f"{one_line(repr(constraint))} is no constraint. Give an object, such as Simplex(3).")
    found = [mirror for _, mirror in host().offers(constraint)]
    return tuple(sorted(found, key=lambda mirror: next(i for i, c in enumerate(_BEST_FIRST) if supports(mirror, c))))


def mirror_for(constraint: Constraint) -> MirrorMap:
    """The best mirror map that the installed plugins offer for a constraint.

    Raises:
        NoMirrorMapError: there is none; the message says who was asked, what to install and what to write.

    Example:
        >>> import tain
        >>> @tain.constraint("non-negative-sum", event_ndim=1)
        ... def non_negative_sum(x):
        ...     return (-x.sum(-1)).clamp(min=0)
        >>> tain.mirror_for(non_negative_sum)
        Traceback (most recent call last):
            ...
        tain.errors.NoMirrorMapError: No installed plugin offers a mirror map for NonNegativeSum (asked: ...
    """
    found = offers(constraint)
    if found:
        return found[0]
    if isinstance(constraint, Blocks):
        for block in constraint.constraints:  # the message shall name the block that has none
            mirror_for(block)
    asked = {plugin.distribution for plugin in host().plugins if plugin.status == "loaded" and plugin.module}
    hints = [f" {p.distribution} is {p.status} ({p.cause})." for p in host().plugins if p.status != "loaded"]
    installed = {plugin.distribution for plugin in host().plugins}
    missing = [r.distribution for r in registry() if r.status == "available" and r.distribution not in installed]
    if missing:
        hints.append(f" Not installed: {', '.join(missing)} (pip install NAME).")
    otherwise = "" if isinstance(constraint, Projectable) else ", or give the rule a projection (tain.Projectable)"
    hints.append(f" Offer one by the hook tain_mirror_for{otherwise}.")
    raise NoMirrorMapError(
        f"No installed plugin offers a mirror map for {type(constraint).__name__} "
        f"(asked: {', '.join(sorted(asked))}).{''.join(hints)}"
    )
