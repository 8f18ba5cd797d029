"""The state of training in one safetensors file, from which it goes on to the bit. Nothing is pickled."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from tain.atomic import write_bytes
from tain.errors import CheckpointError, one_line
from tain_lab.settings import Settings

__all__ = ["TrainingState"]

_FLAT = StateDictOptions(flatten_optimizer_state_dict=True)


class TrainingState:
    """Everything that training changes: step, weights, their moving average, the optimiser's memory, losses so far.

    Args:
        model: the module that is trained, before any wrapper.
        optimizer: of its parameters.
        weights: its parameters that are trained.
        settings, seed: a file of other settings or another seed is refused.
        further: what else the training depends on, in words; a file of another is refused.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        weights: Sequence[nn.Parameter],
        settings: Settings,
        seed: int,
        further: str = "",
    ) -> None:
        self.model, self.optimizer, self.weights = model, optimizer, weights
        self.average = [weight.detach().clone() for weight in weights]
        self._good = [average.clone() for average in self.average]
        self.step = 0
        self.losses: list[float] = []
        told = repr((attrs.asdict(settings), seed)) + further
        self._training = hashlib.sha256(told.encode()).hexdigest()

    def accept(self, losses: list[float]) -> None:
        """The steps since the last call were good: keep their losses, and the averages for `finish`."""
        self.losses += losses
        for kept, average in zip(self._good, self.average, strict=True):
            kept.copy_(average)

    @torch.no_grad()
    def finish(self) -> None:
        """Give the model the averages of the last step that was accepted."""
        for weight, average in zip(self.weights, self._good, strict=True):
            weight.copy_(average)

    def write(self, path: Path) -> None:
        """Write the state, atomically."""
        optimizer: dict[str, Any] = get_optimizer_state_dict(self.model, self.optimizer, options=_FLAT)
        tensors = {f"model:{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"average:{index:06d}": value for index, value in enumerate(self.average)}
        tensors |= {f"optimizer:{key}": value for key, value in optimizer.items() if isinstance(value, Tensor)}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        plain = {key: value for key, value in optimizer.items() if not isinstance(value, Tensor)}
        record = {"step": self.step, "training": self._training, "optimizer": plain}
        content = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        write_bytes(path, safetensors.torch.save(content, {"tain-training": json.dumps(record)}))

    def read(self, path: Path) -> None:
        """Go back to a state that `write` wrote.

        Raises:
            CheckpointError: the file is truncated or foreign, or of a training with other settings.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                record = json.loads((file.metadata() or {})["tain-training"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
            if record["training"] != self._training:
                raise CheckpointError(
                    f"{path}: is the state of a training with other settings or another seed. Train with those, or "
                    "remove the file to start anew."
                )
            self.model.load_state_dict(_under("model:", tensors))
            saved = record["optimizer"] | _under("optimizer:", tensors)
            set_optimizer_state_dict(self.model, self.optimizer, optim_state_dict=saved, options=_FLAT)
            _as_weights_are_laid_out(self.optimizer)
            for current, averaged in zip(self.average, _under("average:", tensors).values(), strict=True):
                current.copy_(averaged)
            self.losses = []
            self.accept(tensors["losses"].tolist())
            self.step = record["step"]
        except (safetensors.SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as cause:
            if isinstance(cause, CheckpointError):
                raise
            raise CheckpointError(
                f"{path}: is truncated or no state of this training ({one_line(str(cause))}). Remove it to start anew."
            ) from cause


def _as_weights_are_laid_out(optimizer: torch.optim.Optimizer) -> None:
    """Give the memory of each weight the strides of that weight, as it had before it was written: a fused optimiser
    goes through both from beginning to end."""
    for weight, memory in optimizer.state.items():
        for key, value in memory.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                memory[key] = torch.empty_like(weight).copy_(value)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose keys have a prefix, without it, in the order of their keys."""
    return {key.removeprefix(prefix): tensors[key] for key in sorted(tensors) if key.startswith(prefix)}
