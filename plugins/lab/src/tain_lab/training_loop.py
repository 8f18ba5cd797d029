"""The one training loop, for everything that is trained: one process or many, any device, resumable to the bit.

All randomness of step k comes from streams that depend on the seed and k alone, so a run that was stopped and resumed
takes the very steps of one that was not, and several processes take those of one, to rounding.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tain.configured import bind
from tain.errors import CheckpointError, ShapeError
from tain_lab.batches import batch_rows, share_of
from tain_lab.compilation import compiled
from tain_lab.processes import joined, require_every_gradient, require_same_step
from tain_lab.progress import steps_bar
from tain_lab.randomness import stream
from tain_lab.settings import Settings
from tain_lab.shared_draws import SharedDraws
from tain_lab.training_state import TrainingState
from tain_lab.watch import Watch

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Task", "checked_settings", "run_task", "state_path"]

_LOOK = 10  # steps after which losses and gradients are looked at: a device need not wait for each


@attrs.frozen(eq=False)
class Task:
    """What is trained, on what, and how.

    Attributes:
        module: its call, module(first, rng, *others), gives the loss of each sample, shape (B,).
        weights: those that the training changes.
        groups: tensors of rows. Those of one group go together row by row; each group has an order of its own. The
            first of each group follows the precision and the layout of the weights, the others stay as they are.
        settings, seed: of the training.
        owner: how messages name what is trained.
        path: file for the state of training, if it is kept.
        label: what the progress bar says; None for no bar.
        after_step: called with the number of steps done after each of them.
        further: what else the training depends on, in words: the state of another training is refused.
    """

    module: nn.Module
    weights: list[nn.Parameter]
    groups: Sequence[tuple[Tensor, ...]]
    settings: Settings
    seed: int
    owner: str
    path: Path | None
    label: str | None
    after_step: Callable[[int], None] | None = None
    further: str = ""


def checked_settings(settings: Settings | None, steps: int | None = None) -> Settings:
    """The settings, with another number of steps if one is given.

    Raises:
        ConfigurationError: a number is beyond its limit.
    """
    settings = settings or Settings()
    if steps is not None:
        settings = attrs.evolve(settings, steps=steps)
    bind(type(settings), attrs.asdict(settings))
    return settings


def state_path(checkpoint: Path | str | None) -> Path | None:
    """The file for the state of training.

    Raises:
        CheckpointError: it has no folder.
    """
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and not path.parent.is_dir():
        raise CheckpointError(f"{path}: there is no folder {path.parent} for the state of training. Make it first.")
    return path


def run_task(task: Task, accelerator: "Accelerator | None" = None) -> list[float]:
    """Take the steps that are left, and give the weights their averages. Returns the loss of each step.

    Raises:
        ConfigurationError: there are fewer samples in a batch than processes.
        ShapeError: the loss is not one number a sample.
        TrainingError: the loss or the gradient is no finite number.
        CheckpointError: the state is broken or of another training.
    """
    accelerator = accelerator or joined(task.settings.batch)
    task.module.to(accelerator.device).train()
    everything = list(task.module.parameters())
    if any(group[0].ndim == 4 for group in task.groups):
        _lay_out(everything, torch.channels_last)
    wrapped = accelerator.prepare_model(task.module)  # from here on, all processes have the weights of the main one
    optimizer = torch.optim.AdamW(task.weights, lr=task.settings.learning_rate, weight_decay=0.0, fused=True)
    state = TrainingState(task.module, optimizer, task.weights, task.settings, task.seed, task.further)
    if task.path is not None and task.path.is_file():
        state.read(task.path)
    require_same_step(accelerator, state.step, task.path)
    shown = task.label is not None and accelerator.is_main_process
    try:
        with steps_bar(task.label or "", task.settings.steps, state.step, shown=shown) as advance:
            _take_steps(task, wrapped, state, accelerator, advance)
    finally:  # stopped or not, the model is left as something to use
        state.finish()
        _lay_out(everything, torch.contiguous_format)
        task.module.eval()
    accelerator.wait_for_everyone()
    return state.losses


def _take_steps(
    task: Task, wrapped: nn.Module, state: TrainingState, accelerator: "Accelerator", advance: Callable[[float], None]
) -> None:
    settings, optimizer, weights = task.settings, state.optimizer, task.weights
    process, processes = accelerator.process_index, accelerator.num_processes
    share = share_of(settings.batch, process, processes)
    draws = SharedDraws(settings.batch, share) if processes > 1 else contextlib.nullcontext()
    autocast = torch.autocast(accelerator.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    module = compiled(wrapped) if settings.compile else wrapped
    watch = Watch(lambda figures: accelerator.reduce(figures, "mean"))
    for step in range(state.step, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
        first, *others = _batch(task, step, share, accelerator.device)
        with draws, autocast:
            losses = module(first, stream(task.seed, "noise", step), *others)
        if losses.shape != (len(first),):
            raise ShapeError(
                f"fit: the loss of {task.owner} has shape {tuple(losses.shape)} for {len(first)} samples, but must "
                f"have ({len(first)},): one number a sample."
            )
        loss = losses.sum() * (processes / settings.batch)  # its mean over the processes is the mean over the batch
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if processes > 1:
            require_every_gradient(task.module, task.owner)
        watch.note(loss, nn.utils.clip_grad_norm_(weights, settings.clip))
        optimizer.step()
        get_ema_multi_avg_fn(settings.decay(step))(state.average, weights, step)
        state.step = step + 1
        saved = state.step % settings.checkpoint_every == 0 or state.step == settings.steps
        if saved or state.step % _LOOK == 0:
            state.accept(watch.look(state.step))
        if saved and task.path is not None and accelerator.is_main_process:
            state.write(task.path)
        advance(state.losses[-1] if state.losses else math.nan)
        if task.after_step is not None:
            task.after_step(state.step)


def _batch(task: Task, step: int, share: slice, device: torch.device) -> list[Tensor]:
    """The rows that this process takes at a step, a tensor for each one of the groups."""
    taken = []
    for number, (leading, *others) in enumerate(task.groups):
        rows = batch_rows(len(leading), task.settings.batch, step, task.seed, order=number)[share]
        layout = torch.channels_last if leading.ndim == 4 else torch.contiguous_format
        taken.append(leading[rows].to(device).to(task.weights[0].dtype).contiguous(memory_format=layout))
        taken += [other[rows].to(device) for other in others]
    return taken


def _lay_out(weights: list[nn.Parameter], layout: torch.memory_format) -> None:
    """Lay out the weights of convolutions over two dimensions."""
    for weight in weights:
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
