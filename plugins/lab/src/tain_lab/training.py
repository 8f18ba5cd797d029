"""The one training loop, for every generator: one process or many, any device, resumable to the bit.

All randomness of step k comes from streams that depend on the seed and k alone, so a run that was stopped and resumed
takes the very steps of one that was not.
"""

import functools
from pathlib import Path

import attrs
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tain import Generator, Mirrored
from tain.configured import bind
from tain.errors import ShapeError, TrainingError
from tain_lab.progress import steps_bar
from tain_lab.randomness import stream
from tain_lab.settings import Settings
from tain_lab.training_state import TrainingState

__all__ = ["fit"]


def fit(
    model: Generator,
    data: Tensor,
    settings: Settings | None = None,
    *,
    steps: int | None = None,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    label: str = "training",
    progress: bool = True,
) -> list[float]:
    """Train a generator on samples, in place.

    The mirror images of a fixed mirror map are computed once, and its generator is trained on them. Under torchrun
    each process takes its part of every batch.

    Args:
        model: on return it holds the averaged weights, in evaluation mode.
        data: samples, shape (N, *event_shape).
        settings: how to train; the defaults of `Settings` otherwise.
        steps: number of steps, if other than in the settings.
        seed: of the batches and of the loss's noise.
        checkpoint: file for the state of training: written every so many steps, resumed from if it exists.
        label: what the progress bar says.
        progress: whether to show one, on a terminal.

    Returns:
        The loss of each step, mean over the batch.

    Raises:
        ConfigurationError: a setting is beyond its limit.
        ShapeError: the data do not fit the model.
        OutsideSetError: a sample is outside of the set of the model's mirror map.
        TrainingError: the loss or the gradient is no finite number; the message names the step.
        CheckpointError: the checkpoint is broken or of another training.

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
        >>> losses = fit(Mean((2,)), torch.ones(50, 2), steps=20, progress=False)
        >>> len(losses)
        20
    """
    from accelerate import Accelerator

    settings = settings or Settings()
    if steps is not None:
        settings = attrs.evolve(settings, steps=steps)
    bind(Settings, attrs.asdict(settings))  # refuses numbers beyond their limits
    if tuple(data.shape[1:]) != model.event_shape or len(data) == 0:
        raise ShapeError(
            f"fit: data have shape {tuple(data.shape)}, but must have (N, {', '.join(map(str, model.event_shape))}) "
            "with N at least 1."
        )
    if isinstance(model, Mirrored) and not any(p.requires_grad for p in model.mirror.parameters()):
        with torch.no_grad():
            data = model.mirror(data)
        trained = model.generator
    else:
        trained = model

    accelerator = Accelerator()
    trained.prepare(data)
    trained.to(accelerator.device)
    trained.train()
    parameters = [p for p in trained.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0, fused=True)
    state = TrainingState(trained, optimizer, [p.detach().clone() for p in parameters], settings, seed)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and path.is_file():
        state.read(path)
    wrapped, optimizer = accelerator.prepare(trained, optimizer)
    share = slice(accelerator.process_index, None, accelerator.num_processes)

    with steps_bar(label, settings.steps, state.step, shown=progress and accelerator.is_main_process) as advance:
        for step in range(state.step, settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = settings.rate(step)
            rows = _batch(len(data), settings.batch, step, seed)[share]
            losses = wrapped(data[rows].to(accelerator.device), stream(seed, "noise", step, accelerator.process_index))
            loss = losses.mean()
            optimizer.zero_grad(set_to_none=True)
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(parameters, settings.clip)
            _require_finite(step, loss=loss, gradient=norm)
            optimizer.step()
            get_ema_multi_avg_fn(settings.decay(step))(state.average, parameters, step)
            state.losses.append(accelerator.reduce(loss.detach(), "mean").item())
            state.step = step + 1
            if path is not None and state.step % settings.checkpoint_every == 0 and accelerator.is_main_process:
                state.write(path)
            advance(state.losses[-1])

    with torch.no_grad():
        for parameter, averaged in zip(parameters, state.average, strict=True):
            parameter.copy_(averaged)
    model.eval()
    return state.losses


def _batch(count: int, batch: int, step: int, seed: int) -> Tensor:
    """The rows of one step: each epoch is a new random order of all rows, cut where the batches fall."""
    positions = torch.arange(step * batch, (step + 1) * batch)
    epochs = positions // count
    return torch.cat([_order(count, int(e), seed)[positions[epochs == e] % count] for e in epochs.unique()])


@functools.lru_cache(maxsize=1)  # steps come in order, so the last one is enough
def _order(count: int, epoch: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=stream(seed, "epoch", epoch))


def _require_finite(step: int, **figures: Tensor) -> None:
    for name, value in figures.items():
        if not bool(torch.isfinite(value)):
            raise TrainingError(
                f"Training: the {name} is {value.item()} at step {step + 1}. Look for extreme values in the data, or "
                "lower [training] learning_rate."
            )
