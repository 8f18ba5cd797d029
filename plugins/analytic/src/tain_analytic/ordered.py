"""Numbers in ascending order."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import ConfigurationError, Field, Interior, Retractable
from tain.randomness import generator, standard_normal, uniform

__all__ = ["Ordered"]


@final
class Ordered(Interior, Retractable):
    """Numbers that do not descend: {x : x_1 <= x_2 <= ... <= x_n}. Samples have shape (B, size).

    Args:
        size: how many numbers, at least 2.

    Raises:
        ConfigurationError: a size below 2.

    Example:
        >>> import torch
        >>> from tain_analytic import Ordered
        >>> Ordered(3).distance(torch.tensor([[1.0, 2.0, 2.0], [1.0, 3.0, 2.5]]))
        tensor([0.0000, 0.5000])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = "Numbers that are below the one before them, or nearer to it than the margin, are raised."

    def __init__(self, size: Annotated[int, Field("how many numbers", at_least=2)]):
        super().__init__()
        self.event_shape = (size,)

    def distance(self, x: Tensor) -> Tensor:
        """The sum of all steps downwards, less what rounding accounts for: (B, size) to (B,).

        A step down by 2 rounding errors of its numbers counts as none. No Euclidean distance, but a figure that a
        reader can check by hand.
        """
        step = x.diff(dim=1)
        rounding = 2 * torch.finfo(x.dtype).eps * torch.maximum(x[:, 1:].abs(), x[:, :-1].abs())
        return (-step - rounding).relu().sum(1)

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """A standard normal first number, and gaps of 0.01 plus an exponential number of mean 1."""
        rng, example = generator(rng), torch.empty((), dtype=dtype or torch.get_default_dtype())
        (size,) = self.event_shape
        first = standard_normal((n, 1), rng, example)
        gaps = 0.01 - torch.log1p(-uniform((n, size - 1), rng, example))
        return torch.cat([first, gaps], 1).cumsum(1)

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Raise numbers until each is at least `margin` above the one before it: (B, size) to (B, size).

        Raises:
            ConfigurationError: a margin that is negative or not finite.

        Example:
            >>> Ordered(3).retract(torch.tensor([[1.0, 0.5, 3.0]]), margin=0.25)
            tensor([[1.0000, 1.2500, 3.0000]])
        """
        if not 0 <= margin < float("inf"):
            raise ConfigurationError(f"Ordered.retract: 'margin' is {margin}, but must be at least 0 and finite.")
        raised = [x[:, 0]]
        for column in x.unbind(1)[1:]:
            raised.append(torch.maximum(column, raised[-1] + margin))
        return torch.stack(raised, 1)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which numbers are less than `margin` above the one before them: (B, size) booleans."""
        near = x.diff(dim=1) < margin
        return torch.cat([torch.zeros_like(near[:, :1]), near], 1)
