"""A learned mirror map: trained on data, and so exact only up to bounds, which are measured and kept with its weights.

Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
"""

import abc
import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from tain.errors import ConfigurationError, nearest
from tain.mirror_maps import MirrorMap

__all__ = ["Finetunable", "Learned"]

_BOUNDS = ("distance", "round-trip")
_ROWS = 256  # brought back at once, so that many images do not fill the memory


class Learned(MirrorMap):
    """Capability: the map has weights to be trained, and so keeps its constraint only up to measured bounds.

    The bounds tell how far off the map is with the weights that it has. `measure` takes them, checkpoints hold them
    beside the weights, and `tain.testing` tries whether they hold. They are not taken by themselves: measure again
    after more training.

        distance      the largest distance to the set of a point that `inverse` gives
        round-trip    the largest error of an entry of inverse(forward(x)), in the unit of x

    Attributes:
        event_shape: the shape of one sample x of the set, for which the map is built.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> class Doubled(tain.Learned):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.constraint, self.event_shape = sum_one, (2,)
        ...         self.factor = torch.nn.Parameter(torch.tensor(0.375))
        ...     def forward(self, x):
        ...         return 2 * x
        ...     def inverse(self, y):
        ...         return self.factor * y
        ...     def loss(self, x, *, rng=None):
        ...         return (self.inverse(self.forward(x)) - x).square().sum(1)
        >>> mirror = Doubled()
        >>> mirror.bounds
        {}
        >>> mirror.measure(torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
        {'distance': 0.25, 'round-trip': 0.1875}
    """

    event_shape: tuple[int, ...]
    _bounds: dict[str, float]

    @abc.abstractmethod
    def loss(self, x: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The training loss of each sample: (B, *S) to (B,)."""

    def prepare(self, x: Tensor) -> None:
        """Take what is needed from the training data, (N, *event_shape), before the first step. Default: nothing."""

    @property
    def bounds(self) -> dict[str, float]:
        """What was measured, by name; empty if nothing was."""
        return dict(getattr(self, "_bounds", {}))

    @torch.no_grad()
    def measure(self, x: Tensor, y: Tensor | None = None) -> dict[str, float]:
        """Take the bounds on points that the map was not trained on, and keep them.

        Args:
            x: points of the set, (N, *S). The largest error of few points says little: take a thousand, if there are.
            y: mirror images that are brought back as well, for the distance, (M, *T): best those that a generator
                gives, which are less exact than forward(x).

        Returns:
            The bounds.

        Raises:
            OutsideSetError: a point is outside of the set.
            ConfigurationError: there are no points, or an error is not finite.
        """
        if not len(x):
            raise ConfigurationError(f"{type(self).__name__}.measure: x has no rows. Give held-out points of the set.")
        distance, round_trip = 0.0, 0.0
        for points in x.split(_ROWS):
            returned = self.inverse(self.forward(points))
            distance = _larger(distance, self.constraint.distance(returned))
            round_trip = _larger(round_trip, (returned - points).abs())
        for images in () if y is None else y.split(_ROWS):
            distance = _larger(distance, self.constraint.distance(self.inverse(images)))
        self.record_bounds({"distance": distance, "round-trip": round_trip})
        return self.bounds

    def record_bounds(self, bounds: Mapping[str, float]) -> None:
        """Keep bounds that were measured elsewhere, such as before the map was saved, in place of those it has.

        Raises:
            ConfigurationError: a name is not one of those above, or a bound is negative or not finite.
        """
        for name, bound in bounds.items():
            if name not in _BOUNDS:
                raise ConfigurationError(f"{type(self).__name__}: unknown bound '{name}'.{nearest(name, _BOUNDS)}")
            if not 0 <= bound < math.inf:
                raise ConfigurationError(
                    f"{type(self).__name__}: the bound '{name}' is {bound}, but must be a finite number, at least 0. "
                    "Train the map before it is measured."
                )
        self._bounds = {name: float(bound) for name, bound in bounds.items()}


class Finetunable(Learned):
    """Capability: once a generator has been trained on the images, the inverse can be trained on what it gives.

    A generator's images are not quite those that `forward` gives, and the inverse was trained on the latter: so the
    samples that it makes of the former are farther from the set. Finetuning trains it on both, while the forward map,
    and with it the space that the generator has learned, stays as it is.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> class Doubled(tain.Finetunable):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.constraint, self.event_shape = sum_one, (2,)
        ...         self.factor = torch.nn.Parameter(torch.tensor(0.375))
        ...     def forward(self, x):
        ...         return 2 * x
        ...     def inverse(self, y):
        ...         return self.factor * y
        ...     def loss(self, x, *, rng=None):
        ...         return (self.inverse(self.forward(x)) - x).square().sum(1)
        ...     def finetuning_loss(self, x, y, *, rng=None):
        ...         return self.loss(x) + self.constraint.distance(self.inverse(y))
        ...     def finetuned(self):
        ...         yield self.factor
        >>> mirror = Doubled()
        >>> data, images = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 1.0]])
        >>> descent = torch.optim.SGD(mirror.finetuned(), lr=0.0625)
        >>> mirror.finetuning_loss(data, images).sum().backward()
        >>> descent.step()
        >>> mirror.factor.item()
        0.5
    """

    @abc.abstractmethod
    def finetuning_loss(self, x: Tensor, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The loss of each pair of a sample of the set and a generated image: x (B, *S), y (B, *T) to (B,)."""

    @abc.abstractmethod
    def finetuned(self) -> Iterator[nn.Parameter]:
        """The weights that finetuning may change: those of `inverse` that `forward` does not depend on."""


def _larger(most: float, errors: Tensor) -> float:
    """The largest of all; NaN if there is one."""
    return float(errors.max().clamp(min=most)) if errors.numel() else most
