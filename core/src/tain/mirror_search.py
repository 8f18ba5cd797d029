"""Finding the mirror map of a constraint among all that the installed plugins offer."""

from tain.blocks import Blocks
from tain.capabilities import supports
from tain.catalogue import host
from tain.constraints import Constraint, Projectable
from tain.conversion import convert
from tain.errors import ConfigurationError, NoMirrorMapError, ShapeError, one_line
from tain.fields import Field
from tain.learned import Learned
from tain.mirror_maps import Bijective, Legendre, MirrorMap, Potential, Projective
from tain.registry import registry

__all__ = ["mirror_for", "offers"]

_BEST_FIRST: tuple[type[MirrorMap], ...] = (Legendre, Bijective, Potential, Projective)


def offers(constraint: Constraint, *, event_shape: tuple[int, ...] | None = None) -> tuple[MirrorMap, ...]:
    """All mirror maps offered for a constraint, the best first.

    Legendre maps come first, then other bijections, gradients of potentials that are many to one, projections, all
    others that need no training, learned maps, and maps with a learned part.

    Args:
        constraint: the rule.
        event_shape: the shape of one sample. If it is given, maps that have to be trained are offered as well.

    Raises:
        ConfigurationError: it is no constraint, or the shape is not of positive integers.
        ShapeError: its samples have another shape.
    """
    if not isinstance(constraint, Constraint):  # else the plugins that stumble over it would be called broken
        raise ConfigurationError(f"{one_line(repr(constraint))} is no constraint. Give an object, such as Simplex(3).")
    shape = _checked(constraint, event_shape)
    found = [mirror for _, mirror in host().offers(constraint, shape)]
    return tuple(sorted(found, key=_rank))


def mirror_for(constraint: Constraint, *, event_shape: tuple[int, ...] | None = None) -> MirrorMap:
    """The best mirror map that the installed plugins offer for a constraint.

    Args:
        constraint: the rule.
        event_shape: the shape of one sample. Only if it is given may the map be one that has to be trained first, a
            `tain.Learned`; even then all that need no training go before it.

    Raises:
        ConfigurationError: it is no constraint, or the shape is not of positive integers.
        ShapeError: its samples have another shape.
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
    found = offers(constraint, event_shape=event_shape)
    if found:
        return found[0]
    if isinstance(constraint, Blocks):
        for block, size in zip(constraint.constraints, constraint.sizes, strict=True):
            # The message shall name the block that has none.
            mirror_for(block, event_shape=None if event_shape is None else (size,))
    asked = {plugin.distribution for plugin in host().plugins if plugin.status == "loaded" and plugin.module}
    hints = [f" {p.distribution} is {p.status} ({p.cause})." for p in host().plugins if p.status != "loaded"]
    installed = {plugin.distribution for plugin in host().plugins}
    missing = [r.distribution for r in registry() if r.status == "available" and r.distribution not in installed]
    if missing:
        hints.append(f" Not installed: {', '.join(missing)} (pip install NAME).")
    if event_shape is None:
        example = constraint.event_shape or (1,) * (constraint.event_ndim - 2) + (32,) * min(constraint.event_ndim, 2)
        hints.append(
            " A map that has to be trained, as of tain-namm, is offered only for a shape: "
            f"mirror_for(rule, event_shape={example})."
        )
    otherwise = "" if isinstance(constraint, Projectable) else ", or give the rule a projection (tain.Projectable)"
    hints.append(f" Offer one by the hook tain_mirror_for{otherwise}.")
    raise NoMirrorMapError(
        f"No installed plugin offers a mirror map for {type(constraint).__name__} "
        f"(asked: {', '.join(sorted(asked))}).{''.join(hints)}"
    )


def _rank(mirror: MirrorMap) -> int:
    for rank, capability in enumerate(_BEST_FIRST):
        if supports(mirror, capability):
            return rank
    learned = any(isinstance(part, Learned) for part in mirror.modules())
    return len(_BEST_FIRST) + (1 if isinstance(mirror, Learned) else 2 if learned else 0)


def _checked(constraint: Constraint, event_shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The shape, if it is one of the rule's samples."""
    if event_shape is None:
        return None
    shape: tuple[int, ...] = convert(event_shape, tuple[int, ...], Field("", at_least=1), "mirror_for: 'event_shape'")
    if constraint.event_shape not in (None, shape) or len(shape) != constraint.event_ndim:
        numbers = f"{constraint.event_ndim} number{'s' if constraint.event_ndim != 1 else ''}"
        wanted = numbers if constraint.event_shape is None else str(constraint.event_shape)
        raise ShapeError(
            f"mirror_for: 'event_shape' is {shape}, but must be {wanted}, the shape of one sample of "
            f"{type(constraint).__name__}, without the batch."
        )
    return shape
