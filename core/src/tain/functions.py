"""A whole constraint in one function: for scripts, before there is a package."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor

from tain.catalogue import register
from tain.component import Component
from tain.configured import signature_of
from tain.constraints import Constraint
from tain.errors import ConfigurationError

__all__ = ["constraint"]


def constraint(name: str, *, event_ndim: int) -> Callable[[Callable[..., Tensor]], Constraint]:
    """Make a function of samples, x (B, *S) to distances (B,), a constraint with a name in the catalogue.

    Further arguments of the function, with annotations and defaults, become the constraint's configuration.

    Args:
        name: how TOML files and the command line call it.
        event_ndim: number of trailing dimensions that one sample has.

    Returns:
        The constraint with its defaults, in place of the function. Calling it still gives the distance.

    Example:
        >>> import torch, tain
        >>> @tain.constraint("unit-flux", event_ndim=1)
        ... def unit_flux(x, total: float = 1.0):
        ...     return (x.sum(-1) - total).abs()
        >>> unit_flux.distance(torch.tensor([[0.5, 0.25]]))
        tensor([0.2500])
        >>> tain.create("constraint", "unit-flux", total=0.75).contains(torch.tensor([[0.5, 0.25]]))
        tensor([True])
    """

    def decorate(function: Callable[..., Tensor]) -> Constraint:
        arguments = list(signature_of(function).parameters.values())
        if not arguments:
            raise ConfigurationError(f"{function.__name__}: takes nothing, but must take the samples first.")
        others = arguments[1:]

        def __init__(self: Any, **values: Any) -> None:  # noqa: N807 (it becomes the class's constructor)
            Constraint.__init__(self)
            for key, value in values.items():
                if isinstance(value, Tensor):
                    self.register_buffer(f"value_{key}", value, persistent=False)
                else:
                    setattr(self, f"value_{key}", value)

        def distance(self: Any, x: Tensor) -> Tensor:
            return function(x, **{other.name: getattr(self, f"value_{other.name}") for other in others})

        itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        __init__.__signature__ = inspect.Signature([itself, *others])  # type: ignore[attr-defined]
        members = {
            "__init__": __init__,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "event_ndim": event_ndim,
            "distance": distance,
        }
        made = type(name.title().replace("-", ""), (Constraint,), members)
        instance: Constraint = made()
        summary = (function.__doc__ or "").strip().split("\n")[0]
        register("constraint", Component(name, made, summary=summary))
        return instance

    return decorate
