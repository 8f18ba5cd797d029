"""One process or several, started by torchrun: how they join, and what they must agree on.

Accelerate finds the processes and the device, and wraps the module so that gradients are means over the processes.
"""

import atexit
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from tain.errors import CheckpointError, ConfigurationError, TrainingError

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["joined", "require_every_gradient", "require_same_step"]


def joined(batch: int) -> "Accelerator":
    """The processes that train together on batches of `batch` samples.

    Raises:
        ConfigurationError: there are more processes than samples in a batch.
    """
    from accelerate import Accelerator

    # Without being told of the CPU, processes on machines that have nothing else would each train alone.
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    if accelerator.num_processes > batch:
        raise ConfigurationError(
            f"fit: [training] batch is {batch}, but must be at least {accelerator.num_processes}, the number of "
            "processes."
        )
    if accelerator.num_processes > 1:
        atexit.unregister(_leave)  # once is enough, however often there is a training
        atexit.register(_leave)
    return accelerator


def _leave() -> None:
    """Take this process out of its group: one that ends with the group's threads still running may be aborted."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def require_same_step(accelerator: "Accelerator", step: int, path: Path | None) -> None:
    """Refuse to go on from checkpoints that differ between the processes.

    Raises:
        CheckpointError: the step is not that of all other processes.
    """
    steps = accelerator.gather(torch.tensor([step], device=accelerator.device)).tolist()
    if len(set(steps)) > 1:
        raise CheckpointError(
            f"{path}: the processes read states of the steps {steps}. Put it where all of them see the same."
        )


def require_every_gradient(module: nn.Module, owner: str) -> None:
    """Refuse a module with weights that its loss does not use: the processes would wait for their gradients.

    Args:
        module: after its gradients were taken.
        owner: how messages name it.

    Raises:
        TrainingError: a weight that may change has no gradient; the message names it.
    """
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            raise TrainingError(
                f"fit: the weight '{name}' of {owner} takes no part in its loss, which several "
                "processes cannot train. Freeze it by requires_grad_(False), or train in one process."
            )
