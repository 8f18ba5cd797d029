"""Whether a map can be built for samples of some shape."""

from tain import ConfigurationError, Constraint

__all__ = ["checked_patch"]


def checked_patch(constraint: Constraint, event_shape: tuple[int, ...], patch: int | None) -> int:
    """How many pixels a side are taken as one: `patch`, or 2 where that leaves enough of them.

    Raises:
        ConfigurationError: the shape is not one of vectors or images, not that of the rule, or not made of patches.
    """
    if len(event_shape) not in (1, 3) or len(event_shape) != constraint.event_ndim:
        raise ConfigurationError(
            f"NeuralMirrorMap: 'event_shape' is {event_shape}, but must be (N,) for vectors or (C, H, W) for "
            f"images, and {type(constraint).__name__} is a rule of samples with {constraint.event_ndim} "
            "dimensions. Give the shape of one sample."
        )
    if constraint.event_shape not in (None, event_shape):
        raise ConfigurationError(
            f"NeuralMirrorMap: 'event_shape' is {event_shape}, but {type(constraint).__name__} is a rule of "
            f"samples of shape {constraint.event_shape}. Give that."
        )
    if patch is None:
        even = all(length % 2 == 0 and length >= 16 for length in event_shape[1:])
        return 2 if len(event_shape) == 3 and even else 1
    if any(length % patch for length in event_shape[1:]):
        raise ConfigurationError(
            f"NeuralMirrorMap: 'patch' is {patch}, but must divide height and width of {event_shape}. Leave it out."
        )
    return patch
