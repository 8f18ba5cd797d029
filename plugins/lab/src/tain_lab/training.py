"""The one training loop, for every generator: one process or many, any device, resumable to the bit.

All randomness of step k comes from streams that depend on the seed and k alone, so a run that was stopped and resumed
takes the very steps of one that was not, and several processes take those of one, to rounding.
"""

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tain import Generator, Mirrored
from tain.configured import bind
from tain.errors import CheckpointError, ShapeError, TrainingError
from tain_lab.batches import batch_rows, share_of
from tain_lab.compilation import compiled
from tain_lab.processes import joined, require_every_gradient, require_same_step
from tain_lab.progress import steps_bar
from tain_lab.randomness import stream
from tain_lab.settings import Settings
from tain_lab.shared_draws import SharedDraws
from tain_lab.training_data import mirror_images, require_condition, require_data
from tain_lab.training_state import TrainingState
from tain_lab.watch import Watch

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["fit"]

_LOOK = 10  # steps after which losses and gradients are looked at: a device need not wait for each


def fit(
    model: Generator,
    data: Tensor,
    settings: Settings | None = None,
    *,
    condition: Tensor | None = None,
    steps: int | None = None,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    label: str = "training",
    progress: bool = True,
) -> list[float]:
    """Train a generator on samples, in place.

    The mirror images of a fixed mirror map are computed once, and its generator is trained on them. Under torchrun
    each process takes its part of every batch, and the losses are those of one process, to rounding: give every
    process the same data. Each epoch is a new random order of all rows; a batch larger than the data holds every row
    several times, with other noise each time. Arrays of images (samples of three dimensions) and the weights of
    convolutions are laid out channels last while training.

    Args:
        model: on return it holds the averaged weights, in evaluation mode.
        data: samples, shape (N, *event_shape), of any floating-point dtype. They may be a file mapped to memory
            (`torch.from_file`) and larger than it: they are never copied whole, and mirror images of more than 1 GiB
            go to a temporary file beside the checkpoint.
        condition: the condition of each row, shape (N, *condition_shape), for a generator that takes one.
        settings: how to train; the defaults of `Settings` otherwise.
        steps: number of steps, if other than in the settings.
        seed: of the batches and of the loss's noise.
        checkpoint: file for the state of training: written every so many steps and after the last, resumed from if
            it exists. All processes must see it; only the main one writes it.
        label: what the progress bar says.
        progress: whether to show one, on a terminal.

    Returns:
        The loss of each step, mean over the batch.

    Raises:
        ConfigurationError: a setting is beyond its limit, or there are fewer samples than a batch takes, or fewer in
            a batch than processes.
        ShapeError: the data or conditions do not fit the model, or its loss is not one number a sample.
        DataError: the data are not finite; the message names the rows.
        MissingCapabilityError: there are conditions, and the model takes none.
        OutsideSetError: a sample is outside of the set of the model's mirror map.
        TrainingError: the model has nothing to train, or the loss or the gradient is no finite number: the message
            names the step. The model then has the averaged weights of at most ten steps before, and the checkpoint
            stays as it was last written.
        CheckpointError: the checkpoint is broken or of another training, or has no folder.

    Example:
        >>> import tain, torch
        >>> class Mean(tain.Generator):
        ...     def __init__(self, event_shape: tuple[int, ...]):
        ...         super().__init__()
        ...         self.event_shape = event_shape
        ...         self.mean = torch.nn.Parameter(torch.zeros(event_shape))
        ...     def loss(self, y, *, rng=None):
        ...         return (y - self.mean).square().sum(1)
        ...     def sample(self, n, *, rng=None):
        ...         return self.mean.expand(n, -1)
        >>> losses = fit(Mean((2,)), torch.ones(300, 2), steps=20, progress=False)
        >>> len(losses)
        20
    """
    settings = settings or Settings()
    if steps is not None:
        settings = attrs.evolve(settings, steps=steps)
    bind(Settings, attrs.asdict(settings))  # refuses numbers beyond their limits
    require_data(data, tuple(model.event_shape))
    if condition is not None:
        require_condition(condition, data, model)
    settings.require_rows(len(data))
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and not path.parent.is_dir():
        raise CheckpointError(f"{path}: there is no folder {path.parent} for the state of training. Make it first.")
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise TrainingError(f"fit: {type(model).__name__} has no weight that may change. There is nothing to train.")
    accelerator = joined(settings.batch)

    trained = model.eval()
    while isinstance(trained, Mirrored) and not any(p.requires_grad for p in trained.mirror.parameters()):
        data = mirror_images(trained.mirror, data, parameters[0].dtype, None if path is None else path.parent)
        trained = trained.generator
    columns = (data,) if condition is None else (data, condition)
    trained.prepare(*columns)
    trained.to(accelerator.device).train()
    if data.ndim == 4:
        _lay_out(parameters, torch.channels_last)
    wrapped = accelerator.prepare_model(trained)  # from here on, all processes have the weights of the main one
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0, fused=True)
    state = TrainingState(trained, optimizer, parameters, settings, seed)
    if path is not None and path.is_file():
        state.read(path)
    require_same_step(accelerator, state.step, path)
    try:
        with steps_bar(label, settings.steps, state.step, shown=progress and accelerator.is_main_process) as advance:
            _train(wrapped, state, columns, accelerator, path, advance)
    finally:  # stopped or not, the model is left as something to use
        state.finish()
        _lay_out(parameters, torch.contiguous_format)
        model.eval()
    accelerator.wait_for_everyone()
    return state.losses


def _train(
    wrapped: nn.Module,
    state: TrainingState,
    columns: tuple[Tensor, ...],
    accelerator: "Accelerator",
    path: Path | None,
    advance: Callable[[float], None],
) -> None:
    """Take the steps that are left, on rows of `columns`: data, and conditions if there are any."""
    settings, optimizer, weights = state.settings, state.optimizer, state.weights
    process, processes, device = accelerator.process_index, accelerator.num_processes, accelerator.device
    layout = torch.channels_last if columns[0].ndim == 4 else torch.contiguous_format
    share = share_of(settings.batch, process, processes)
    draws = SharedDraws(settings.batch, share) if processes > 1 else contextlib.nullcontext()
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    module = compiled(wrapped) if settings.compile else wrapped
    watch = Watch(lambda figures: accelerator.reduce(figures, "mean"))
    for step in range(state.step, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
        rows = batch_rows(len(columns[0]), settings.batch, step, state.seed)[share]
        data, *condition = (column[rows].to(device) for column in columns)
        data = data.to(weights[0].dtype).contiguous(memory_format=layout)
        with draws, autocast:
            losses = module(data, stream(state.seed, "noise", step), *condition)
        if losses.shape != (len(rows),):
            raise ShapeError(
                f"fit: the loss of {type(state.model).__name__} has shape {tuple(losses.shape)} for {len(rows)} "
                f"samples, but must have ({len(rows)},): one number a sample."
            )
        loss = losses.sum() * (processes / settings.batch)  # its mean over the processes is the mean over the batch
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if processes > 1:
            require_every_gradient(state.model)
        watch.note(loss, nn.utils.clip_grad_norm_(weights, settings.clip))
        optimizer.step()
        get_ema_multi_avg_fn(settings.decay(step))(state.average, weights, step)
        state.step = step + 1
        saved = state.step % settings.checkpoint_every == 0 or state.step == settings.steps
        if saved or state.step % _LOOK == 0:
            state.accept(watch.look(state.step))
        if saved and path is not None and accelerator.is_main_process:
            state.write(path)
        advance(state.losses[-1] if state.losses else math.nan)


def _lay_out(weights: list[nn.Parameter], layout: torch.memory_format) -> None:
    """Lay out the weights of convolutions over two dimensions."""
    for weight in weights:
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
