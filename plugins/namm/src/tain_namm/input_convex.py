"""The forward map: the gradient of a strongly convex network.

A network is convex in its input if each layer adds convex functions of the input to what it makes of the layer before
by weights that are not negative, and if its activations are convex and do not fall:

    u_0 = (A_0 x)^2 / 2 + B_0 x      u_k = W_k s(u_{k-1}) + (A_k x)^2 / 2 + B_k x      phi(x) = sum of w s(u_K)

(biases left out). The map is that of the potential mu |x|^2 / 2 + (1 - mu) phi(x). It is one to one, and

    (f(x) - f(x')) . (x - x') >= mu |x - x'|^2.

The gradient of phi is written out below, layer by layer, as ordinary operations: it works under torch.no_grad, and its
own derivatives are those of any network. The squares let it bend images of any size, and the sum over pixels (where the
released code takes the mean, so that the map is all but mu x) makes it the same at each size of image.

Sources:
    Input Convex Neural Networks, https://arxiv.org/abs/1609.07152
    Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
"""

from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from tain_namm.linear import Convolution, Dense, LinearMap
from tain_namm.patches import joined, split

__all__ = ["InputConvexGradient"]

_LEAST_SLOPE = 0.2  # of the activation: a smooth form of the leaky rectifier that the source uses
_SMALL = 0.1  # size of the first weights of the input, which leave the map near to mu x


@final
class InputConvexGradient(nn.Module):
    """y = mu x + (1 - mu) grad phi(x) with a convex phi: vectors (B, N) or images (B, C, H, W) to the same.

    Args:
        event_shape: (N,) or (C, H, W).
        width: features of each layer.
        layers: layers with weights that are not negative; there is one more in all.
        strong_convexity: mu, above 0 and below 1.
        periodic: whether images go on beyond an edge with those of the other one, and not with zeros.
        patch: how many pixels a side are taken together as one with more channels; H and W are multiples of it. That
            costs less by its square.

    Example:
        >>> f = InputConvexGradient((3,), width=8, layers=2, strong_convexity=0.9)
        >>> a, b = torch.randn(2, 100, 3)
        >>> bool((((f(a) - f(b)) * (a - b)).sum(1) >= 0.9 * (a - b).square().sum(1)).all())
        True
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        width: int = 32,
        layers: int = 3,
        strong_convexity: float = 0.9,
        periodic: bool = False,
        patch: int = 1,
    ):
        super().__init__()
        convolutional = len(event_shape) == 3
        channels = event_shape[0] * patch**2 if convolutional else event_shape[0]

        def linear(inputs: int, outputs: int, non_negative: bool = False) -> LinearMap:
            if convolutional:
                return Convolution(inputs, outputs, periodic, non_negative, _SMALL)
            return Dense(inputs, outputs, non_negative, _SMALL)

        self.strong_convexity, self.layers, self.patch = strong_convexity, layers, patch
        # All A_k and B_k at once: one product for the whole of the map's first and last step.
        self.of_input = linear(channels, 2 * (layers + 1) * width)
        self.bias = nn.Parameter(torch.zeros(2 * (layers + 1) * width))
        self.between = nn.ModuleList(linear(width, width, non_negative=True) for _ in range(layers))
        # A constant beside it would not change the gradient, and a weight without gradient stops parallel training.
        self.last = nn.Parameter(((0.5 + torch.rand(width, *[1] * (len(event_shape) - 1))) / width).expm1().log())

    @property
    def slope(self) -> float:
        """What the map multiplies by before it is trained, up to a percent or so."""
        return self.strong_convexity

    def forward(self, x: Tensor) -> Tensor:
        """f(x), shape of x."""
        mu = self.strong_convexity
        return mu * x + (1 - mu) * self.gradient(x)

    def gradient(self, x: Tensor) -> Tensor:
        """grad phi(x), shape of x."""
        squared, levels = self._levels(x)
        # Backwards: v is the derivative of phi by u_k.
        v = softplus(self.last).to(levels[-1].dtype) * _slope(levels[-1])
        found = [v]
        for layer, u in zip(self.between[::-1], levels[-2::-1], strict=True):
            v = cast(LinearMap, layer).transposed(v) * _slope(u)
            found.append(v)
        by_addition = torch.cat(found[::-1], dim=1)
        slope = self.of_input.transposed(torch.cat((squared * by_addition, by_addition), dim=1))
        return joined(slope, self.patch) if slope.ndim == 4 else slope

    def potential(self, x: Tensor) -> Tensor:
        """mu |x|^2 / 2 + (1 - mu) phi(x) of each row, (B,): the function whose gradient this is."""
        mu = self.strong_convexity
        phi = softplus(self.last) * _activation(self._levels(x)[1][-1])
        return mu / 2 * x.flatten(1).square().sum(1) + (1 - mu) * phi.flatten(1).sum(1)

    def _levels(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """All A_k x side by side, and the u_k."""
        if x.ndim == 4:
            x = split(x, self.patch).contiguous(memory_format=torch.channels_last)
        squared, plain = self.of_input(x, self.bias).chunk(2, dim=1)
        added = (squared.square() / 2 + plain).chunk(self.layers + 1, dim=1)
        levels = [added[0]]
        for layer, addition in zip(self.between, added[1:], strict=True):
            levels.append(layer(_activation(levels[-1])) + addition)
        return squared, levels


def _activation(u: Tensor) -> Tensor:
    return _LEAST_SLOPE * u + (1 - _LEAST_SLOPE) * softplus(u)


def _slope(u: Tensor) -> Tensor:
    return _LEAST_SLOPE + (1 - _LEAST_SLOPE) * u.sigmoid()
