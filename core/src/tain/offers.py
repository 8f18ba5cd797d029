"""Finding the mirror map of a constraint among all that the installed plugins offer."""

from tain.catalogue import host
from tain.constraints import Constraint
from tain.errors import NoMirrorMapError
from tain.mirror_maps import Learned, Legendre, MirrorMap, Projective
from tain.registry import registry

__all__ = ["mirror_for", "offers"]

_BEST_FIRST: tuple[type[MirrorMap], ...] = (Legendre, Projective, Learned, MirrorMap)


def offers(constraint: Constraint) -> tuple[MirrorMap, ...]:
    """All mirror maps offered for a constraint, the best first: bijections, then projections, then learned ones."""
    found = [mirror for _, mirror in host().offers(constraint)]
    return tuple(sorted(found, key=lambda mirror: next(i for i, c in enumerate(_BEST_FIRST) if isinstance(mirror, c))))


def mirror_for(constraint: Constraint) -> MirrorMap:
    """The best mirror map that the installed plugins offer for a constraint.

    Raises:
        NoMirrorMapError: there is none; the message says what was asked and what to install.

    Example:
        >>> import tain
        >>> tain.mirror_for(tain.create("constraint", "simplex", parts=3))  # doctest: +SKIP
        SimplexEntropy(...)
    """
    found = offers(constraint)
    if found:
        return found[0]
    installed = {plugin.distribution for plugin in host().plugins if plugin.status == "loaded" and plugin.module}
    missing = [r.distribution for r in registry() if r.status == "available" and r.distribution not in installed]
    hint = f" Not installed: {', '.join(missing)} (pip install NAME)." if missing else ""
    raise NoMirrorMapError(
        f"No installed plugin offers a mirror map for {type(constraint).__name__} "
        f"(asked: {', '.join(sorted(installed))}).{hint}"
    )
