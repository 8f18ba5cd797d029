"""`finetune`: a learned mirror map's inverse, trained on what a generator makes of its images."""

from collections.abc import Callable
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from tain import Finetunable
from tain.errors import TrainingError
from tain_lab.settings import Settings
from tain_lab.training_data import require_data, require_kept
from tain_lab.training_loop import Task, checked_settings, run_task, state_path

__all__ = ["finetune"]


@final
class _FinetuningLoss(nn.Module):
    """Calling it gives the finetuning loss of pairs of data and generated images."""

    def __init__(self, mirror: Finetunable) -> None:
        super().__init__()
        self.finetuned_mirror = mirror  # a name of its own: the state of the first training is none of this one

    def forward(self, x: Tensor, rng: torch.Generator, y: Tensor) -> Tensor:
        return self.finetuned_mirror.finetuning_loss(x, y, rng=rng)


def finetune(
    mirror: Finetunable,
    data: Tensor,
    images: Tensor,
    settings: Settings | None = None,
    *,
    steps: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    checkpoint: Path | str | None = None,
    label: str = "finetuning",
    progress: bool = True,
    after_step: Callable[[int], None] | None = None,
) -> list[float]:
    """Train the weights of a map's inverse on data and on generated images, in place; all other weights are frozen.

    Each step takes rows of the data and, in an order of their own, rows of the images. In everything else it is `fit`.

    Args:
        mirror: trained by `fit`; on return its inverse holds the averaged weights, in evaluation mode.
        data: samples that keep its rule, shape (N, *event_shape).
        images: what a generator gives that was trained on the images of the data, shape (M, *mirror_shape).
        settings: how to train; the defaults of `Settings` otherwise. N and M must be at least the batch.
        steps, seed, tolerance, checkpoint, label, progress, after_step: as those of `fit`.

    Returns:
        The loss of each step, mean over the batch.

    Raises:
        ConfigurationError, ShapeError, DataError, OutsideSetError, TrainingError, CheckpointError: as `fit` does.

    Example:
        >>> import tain, torch
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> class Shifted(tain.Finetunable):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.constraint, self.event_shape = sum_one, (2,)
        ...         self.shift = torch.nn.Parameter(torch.zeros(2))
        ...     def forward(self, x):
        ...         return x
        ...     def inverse(self, y):
        ...         return y + self.shift
        ...     def loss(self, x, *, rng=None):
        ...         return (self.inverse(x) - x).square().sum(1)
        ...     def finetuning_loss(self, x, y, *, rng=None):
        ...         return self.constraint.distance(self.inverse(y))
        ...     def finetuned(self):
        ...         yield self.shift
        >>> mirror = Shifted()
        >>> data, images = torch.full((300, 2), 0.5), torch.full((300, 2), 0.75)
        >>> losses = finetune(mirror, data, images, Settings(steps=100, learning_rate=0.05, warmup=0), progress=False)
        >>> losses[-1] < losses[0] / 2
        True
    """
    settings = checked_settings(settings, steps)
    require_data(data, tuple(mirror.event_shape))
    require_data(images, tuple(mirror.mirror_shape(tuple(mirror.event_shape))), what="images")
    require_kept(data, mirror.constraint, tolerance)
    settings.require_rows(min(len(data), len(images)))
    path = state_path(checkpoint)
    weights = list(mirror.finetuned())
    if not weights:
        raise TrainingError(f"finetune: {type(mirror).__name__} has no weights to finetune. There is nothing to train.")
    changed = {id(weight) for weight in weights}
    asked = [(weight, weight.requires_grad) for weight in mirror.parameters()]
    try:
        for weight, _ in asked:
            weight.requires_grad_(id(weight) in changed)
        return run_task(
            Task(
                module=_FinetuningLoss(mirror.eval()),
                weights=weights,
                groups=[(data.detach(),), (images.detach(),)],
                settings=settings,
                seed=seed,
                owner=type(mirror).__name__,
                path=path,
                label=label if progress else None,
                after_step=after_step,
            )
        )
    finally:
        for weight, before in asked:
            weight.requires_grad_(before)
        mirror.eval()
