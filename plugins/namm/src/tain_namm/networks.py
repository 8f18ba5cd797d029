"""The networks by the names that a configuration gives them."""

from torch import nn

from tain_namm.input_convex import InputConvexGradient
from tain_namm.perceptron import Perceptron
from tain_namm.residual import Residual
from tain_namm.resnet import ResNet
from tain_namm.unet import UNet

__all__ = ["forward_network", "inverse_network"]

Shape = tuple[int, ...]


def forward_network(
    name: str, event_shape: Shape, width: int, layers: int, strong_convexity: float, periodic: bool, patch: int
) -> nn.Module:
    """The forward map, of rows (B, *event_shape) to the same."""
    if name == "icnn":
        return InputConvexGradient(event_shape, width, layers, strong_convexity, periodic, patch)
    if len(event_shape) == 1:
        return Residual(Perceptron(event_shape[0], width, layers), slope=1.0)
    return Residual(ResNet(event_shape, width, layers, small=True), slope=1.0)


def inverse_network(
    name: str, event_shape: Shape, width: int, blocks: int, periodic: bool, slope: float | None, patch: int, told: bool
) -> nn.Module:
    """The inverse map's network: its results are small at first, unless `slope` is None.

    If it is `told` the rule's step, it is given twice the channels.
    """
    inputs = 2 * event_shape[0] if told else event_shape[0]
    if len(event_shape) == 1:
        return Perceptron(event_shape[0], width, blocks, slope is not None, inputs)
    if name == "unet":
        return UNet(event_shape, width, blocks, periodic, slope is not None, patch, inputs)
    return ResNet(event_shape, width, blocks, slope is not None, inputs)
