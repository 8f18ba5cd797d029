"""Compilation of the training step by torch.compile, where the machine can compile at all."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tain.errors import one_line

__all__ = ["compiled"]


def compiled(module: nn.Module) -> Callable[..., Tensor]:
    """The module, compiled; as it is, with a line on the error stream that says why, if no compiler works.

    Draws from an explicit `torch.Generator` are not compiled: what comes before and after them is, by itself.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=next(module.parameters()).device))
    except Exception as cause:  # a missing compiler, header or driver: each backend has errors of its own
        print(f"compile: goes on without, since no compiler works here: {one_line(str(cause))}", file=sys.stderr)
        return module
    return torch.compile(module)
