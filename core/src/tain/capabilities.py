"""What a component made of others can do: no more than its parts.

A capability is a base class, and `isinstance` tells whether a class has it. The class of a combinator, such as
`Blocks`, has every capability that it can pass on; whether one of its objects can depends on its parts. So ask

    tain.supports(constraint, tain.Projectable)

which is isinstance, asked of the component and of all its parts. A combinator that is told to do what one of its parts
cannot raises an error that names the part. (A class for each set of capabilities would be honest as well, but that
would be sixteen classes of `Blocks`, each with a name in files.)
"""

import abc
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

import torch

from tain.configured import Configured, configuration
from tain.errors import MissingCapabilityError

__all__ = ["Combined", "lacking", "require_support", "same_component", "supports"]

C = TypeVar("C", bound=Configured)


class Combined(Configured, abc.ABC):
    """A component made of others, which passes on what all of them can do."""

    @abc.abstractmethod
    def made_of(self) -> Mapping[str, Configured]:
        """Its parts, by what messages call them."""


def supports(component: Configured, capability: type[C]) -> TypeGuard[C]:
    """Whether a component, and every part that it is made of, has a capability.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> blocks = tain.Blocks((sum_one,), sizes=(3,))
        >>> isinstance(blocks, tain.Projectable), tain.supports(blocks, tain.Projectable)
        (True, False)
    """
    return lacking(component, capability) is None


def lacking(component: Configured, capability: type[Configured]) -> str | None:
    """The first part without a capability, in words; None if there is none."""
    if not isinstance(component, capability):
        return type(component).__name__
    if isinstance(component, Combined):
        for name, part in component.made_of().items():
            if found := lacking(part, capability):
                return f"{name}, {found}"
    return None


def require_support(component: Combined, capability: type[Configured], method: str) -> None:
    """Refuse to do what a part cannot.

    Raises:
        MissingCapabilityError: names the method, the part and the capability.
    """
    if found := lacking(component, capability):
        raise MissingCapabilityError(
            f"{type(component).__name__}.{method}: {found}, is not {capability.__name__}, but every part must be. Ask "
            f"first with tain.supports, or give that part the methods of tain.{capability.__name__}."
        )


def same_component(a: Any, b: Any) -> bool:
    """Whether two components are interchangeable: of one class, with equal configuration and weights.

    A checkpoint holds a set once for each component that was given it, so after loading they are equal, not identical.
    """
    if a is b:
        return True
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and bool((a == b).all())
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same_component, a, b))
    if not isinstance(a, Configured):
        return bool(a == b)
    if type(a) is not type(b):
        return False
    left, right = ({**configuration(c), **c.state_dict()} for c in (a, b))
    return left.keys() == right.keys() and all(same_component(left[key], right[key]) for key in left)
