"""What a conditional model is told of each sample: a label, or real covariates, or nothing."""

from typing import final

import torch
from torch import Tensor, nn

from tain import ConfigurationError, DataError, MissingCapabilityError, ShapeError
from tain.randomness import uniform

__all__ = ["FEATURES", "Conditions"]

FEATURES = 64
"""Size of the embedding of a condition."""


@final
class Conditions(nn.Module):
    """Embeds labels or covariates as vectors, and "no condition" as one more vector, which is learned too.

    Source of the last: Classifier-Free Diffusion Guidance, https://arxiv.org/abs/2207.12598

    Args:
        owner: how messages name the model.
        covariates: real covariates of each sample; they are standardised by `prepare`.
        classes: number of labels, 0 to classes - 1.
        dropout: share of the samples that lose their condition in training.

    Raises:
        ConfigurationError: there are both covariates and classes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, owner: str, covariates: int, classes: int, dropout: float):
        super().__init__()
        if covariates and classes:
            raise ConfigurationError(
                f"{owner}: 'covariates' is {covariates} and 'classes' is {classes}, but one of them must be 0. Give a "
                "label among covariates as a column for each class, 1 for its own and 0 for the others."
            )
        self.owner = owner
        self.covariates, self.classes, self.dropout = covariates, classes, dropout
        self.register_buffer("mean", torch.zeros(covariates))
        self.register_buffer("scale", torch.ones(covariates))
        if not self.takes_any:
            return
        self.nothing = nn.Parameter(torch.randn(FEATURES))
        self.embed = nn.Embedding(classes, FEATURES) if classes else nn.Linear(covariates, FEATURES)

    @property
    def takes_any(self) -> bool:
        """Whether the model takes conditions at all."""
        return bool(self.covariates or self.classes)

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of the condition of one sample; None if the model takes none."""
        return (self.covariates,) if self.covariates else () if self.classes else None

    @property
    def features(self) -> int:
        """Size of the embedding, 0 if the model takes no conditions."""
        return FEATURES if self.takes_any else 0

    def prepare(self, condition: Tensor | None, rows: int) -> None:
        """Take mean and deviation of each covariate over the training data; one that does not vary keeps scale 1."""
        condition = self.checked(condition, rows)
        if condition is None or not self.covariates:
            return
        deviation = condition.std(dim=0, correction=0)
        self.mean.copy_(condition.mean(dim=0))
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(self, condition: Tensor | None, rows: int) -> Tensor | None:
        """Conditions (B, *shape), or None for none at all, to embeddings (B, features); None if it takes none."""
        condition = self.checked(condition, rows)
        if not self.takes_any:
            return None
        if condition is None:
            return self.nothing.expand(rows, -1)
        embedded: Tensor = self.embed(condition if self.classes else (condition - self.mean) / self.scale)
        return embedded

    def drop(self, embedded: Tensor | None, rng: torch.Generator) -> Tensor | None:
        """Replace the embedding of each sample by that of no condition, at the rate of dropout."""
        if embedded is None:
            return None
        lost = uniform((len(embedded), 1), rng, like=embedded) < self.dropout
        return torch.where(lost, self.nothing, embedded)

    def checked(self, condition: Tensor | None, rows: int) -> Tensor | None:
        """The conditions, if they are right.

        Raises:
            MissingCapabilityError: the model was built to take none.
            ShapeError: they have the wrong shape.
            DataError: a label is no integer or out of range, or a covariate is not finite.
        """
        if condition is None:
            return None
        if self.shape is None:
            raise MissingCapabilityError(
                f"{self.owner}: there is a condition, but the model takes none. Build it with 'classes' or "
                "'covariates'."
            )
        if tuple(condition.shape) != (rows, *self.shape):
            raise ShapeError(
                f"{self.owner}: 'condition' has shape {tuple(condition.shape)}, but must have {(rows, *self.shape)}: "
                f"{'one label' if self.classes else 'its covariates'} for each sample."
            )
        return self._labels(condition) if self.classes else self._finite(condition)

    def _labels(self, condition: Tensor) -> Tensor:
        if condition.is_floating_point() or condition.is_complex() or condition.dtype == torch.bool:
            raise DataError(f"{self.owner}: labels have dtype {condition.dtype}, but must be integers, as int64.")
        wrong = ((condition < 0) | (condition >= self.classes)).nonzero()
        if len(wrong):
            row = int(wrong[0, 0])
            raise DataError(
                f"{self.owner}: the label of row {row} is {int(condition[row])}, but must be from 0 to "
                f"{self.classes - 1}, since 'classes' is {self.classes}."
            )
        return condition.long()

    def _finite(self, condition: Tensor) -> Tensor:
        wrong = (~torch.isfinite(condition)).nonzero()
        if len(wrong):
            row, column = wrong[0].tolist()
            raise DataError(
                f"{self.owner}: covariate {column} of row {row} is {condition[row, column].item()}, but must be finite."
                " Leave such rows out, or fill the gaps first."
            )
        return condition.to(self.mean.dtype)
