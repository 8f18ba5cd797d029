"""A network that is part of a rule, and so no more to be trained."""

import copy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["Frozen"]


@final
class Frozen(nn.Module):
    """A copy of a module whose weights take no gradients, always in evaluation mode: a rule does not change.

    Gradients still pass through it to its input. In evaluation mode no layer looks at the other rows of a batch.
    Weights are cast to the dtype of the input where they are used, so that float64 samples get float64 results, and
    autocast does not lower it.

    Example:
        >>> import torch
        >>> network = Frozen(nn.Dropout()).train()
        >>> network(torch.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Nothing: it stays in evaluation mode."""
        return self

    def forward(self, x: Tensor) -> Any:
        """What the module makes of x."""
        held = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        cast = {name: held[name].to(x.dtype) for name in held if held[name].is_floating_point()}
        with torch.autocast(x.device.type, enabled=False):  # which would round to bfloat16
            return functional_call(self.module, cast, (x,))
