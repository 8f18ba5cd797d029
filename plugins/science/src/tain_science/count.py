"""Images in which a network counts a given number of things."""

import math
from typing import Annotated, Any, final

import torch
from torch import Tensor, nn

from tain import Field, Residual, ShapeError, configuration
from tain_science.counting_network import CountingNetwork
from tain_science.frozen import Frozen

__all__ = ["Count"]


@final
class Count(Residual):
    """Images in which a trained network counts a target.

        distance(x) = |network(x) - target|

    Samples have shape (B, C, H, W), of whatever channels and size the network takes. The rule keeps a copy of the
    network, in evaluation mode and without gradients of its weights. There is no exact mirror map.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
    (appendix F)

    Args:
        network: images (B, C, H, W) to counts (B,) or (B, 1), each row on its own. A `CountingNetwork` is saved with
            the rule; channels, width and stages alone stand for a new one, whose weights a checkpoint then fills in. A
            rule with any other module works, but cannot be saved.
        target: the count.

    Example:
        >>> import torch
        >>> from tain_science import Count, CountingNetwork
        >>> rule = Count(CountingNetwork(channels=3), target=8)
        >>> rule.distance(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])
    """

    event_ndim = 3

    def __init__(
        self,
        network: Annotated[
            nn.Module | tuple[int, int, int], Field("what counts, or channels, width and stages of a new network")
        ],
        target: Annotated[float, Field("the count", above=-math.inf, below=math.inf)],
    ):
        super().__init__()
        self.network = Frozen(network if isinstance(network, nn.Module) else CountingNetwork(*network))
        self.target, self.scale = target, max(1.0, abs(target))
        if isinstance(network, CountingNetwork):  # which is of no kind that the catalogue could rebuild
            self._configuration["network"] = tuple(configuration(network).values())

    def distance(self, x: Tensor) -> Tensor:
        """How far the count is from the target: (B, C, H, W) to (B,)."""
        return self.residual(x).abs()[:, 0]

    def residual(self, x: Tensor) -> Tensor:
        """The count less the target: (B, C, H, W) to (B, 1).

        Raises:
            ShapeError: the network does not return one number for each image.
        """
        self.require_shape(x)
        count: Any = self.network(x)
        if tuple(count.shape) not in ((len(x),), (len(x), 1)):
            raise ShapeError(
                f"Count: 'network' returns shape {tuple(count.shape)} for {len(x)} images, but must return one "
                f"number for each, ({len(x)},)."
            )
        return count.reshape(len(x), 1) - self.target

    def tolerance(self, dtype: torch.dtype) -> float:
        """128 rounding errors of the target, since a network's many layers add up theirs."""
        return 128 * torch.finfo(dtype).eps * self.scale
