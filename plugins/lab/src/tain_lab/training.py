"""`fit`: training of generators and of learned mirror maps, on samples."""

from collections.abc import Callable
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from tain import Generator, Learned, Mirrored
from tain.errors import TrainingError
from tain_lab.processes import joined
from tain_lab.settings import Settings
from tain_lab.training_data import mirror_images, require_condition, require_data, require_kept
from tain_lab.training_loop import Task, checked_settings, run_task, state_path

__all__ = ["fit"]


@final
class _MapLoss(nn.Module):
    """Calling a learned map gives its images; calling this gives its loss."""

    def __init__(self, mirror: Learned) -> None:
        super().__init__()
        self.mirror = mirror

    def forward(self, x: Tensor, rng: torch.Generator) -> Tensor:
        return self.mirror.loss(x, rng=rng)


def fit(
    model: Generator | Learned,
    data: Tensor,
    settings: Settings | None = None,
    *,
    condition: Tensor | None = None,
    steps: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    checkpoint: Path | str | None = None,
    label: str = "training",
    progress: bool = True,
    after_step: Callable[[int], None] | None = None,
) -> list[float]:
    """Train a generator, or a learned mirror map, on samples, in place.

    The mirror images of a fixed mirror map are computed once, and its generator is trained on them. Under torchrun
    each process takes its part of every batch, and the losses are those of one process, to rounding: give every
    process the same data. Each epoch is a new random order of all rows; a batch larger than the data holds every row
    several times, with other noise each time. Arrays of images (samples of three dimensions) and the weights of
    convolutions are laid out channels last while training.

    Args:
        model: on return it holds the averaged weights, in evaluation mode. What a learned map is trained on must keep
            its rule.
        data: samples, shape (N, *event_shape), of any floating-point dtype. They may be a file mapped to memory
            (`torch.from_file`) and larger than it: they are never copied whole, and mirror images of more than 1 GiB
            go to a temporary file beside the checkpoint.
        condition: the condition of each row, shape (N, *condition_shape), for a generator that takes one.
        settings: how to train; the defaults of `Settings` otherwise.
        steps: number of steps, if other than in the settings.
        seed: of the batches and of the loss's noise.
        tolerance: distance to the set up to which a row keeps the rule of a learned map; by default the rule's own in
            single precision.
        checkpoint: file for the state of training: written every so many steps and after the last, resumed from if
            it exists. All processes must see it; only the main one writes it.
        label: what the progress bar says.
        progress: whether to show one, on a terminal.
        after_step: called with the number of steps done after each of them.

    Returns:
        The loss of each step, mean over the batch.

    Raises:
        ConfigurationError: a setting is beyond its limit, or there are fewer samples than a batch takes, or fewer in
            a batch than processes.
        ShapeError: the data or conditions do not fit the model, or its loss is not one number a sample.
        DataError: the data are not finite; the message names the rows.
        MissingCapabilityError: there are conditions, and the model takes none.
        OutsideSetError: a sample is outside of the set of the model's mirror map, or of the rule that it is to learn;
            the message names the worst rows.
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
    settings = checked_settings(settings, steps)
    require_data(data, tuple(model.event_shape))
    if isinstance(model, Learned):
        require_kept(data, model.constraint, tolerance)
    if condition is not None:
        require_condition(condition, data, model)
    settings.require_rows(len(data))
    path = state_path(checkpoint)
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise TrainingError(f"fit: {type(model).__name__} has no weight that may change. There is nothing to train.")
    accelerator = joined(settings.batch)
    trained = model.eval()
    while isinstance(trained, Mirrored) and not any(p.requires_grad for p in trained.mirror.parameters()):
        data = mirror_images(trained.mirror, data, weights[0].dtype, None if path is None else path.parent)
        trained = trained.generator
    columns = (data.detach(),) if condition is None else (data.detach(), condition)
    trained.prepare(*columns)
    task = Task(
        module=_MapLoss(trained) if isinstance(trained, Learned) else trained,
        weights=weights,
        groups=[columns],
        settings=settings,
        seed=seed,
        owner=type(trained).__name__,
        path=path,
        label=label if progress else None,
        after_step=after_step,
    )
    try:
        return run_task(task, accelerator)
    finally:
        model.eval()
