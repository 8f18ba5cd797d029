"""What a report says of a model's samples, beside real data and beside the baseline."""

from typing import Any

import attrs
import torch
from torch import Tensor

from tain import Constraint, Retractable, supports
from tain_lab.features import features
from tain_lab.metrics import compare, keep_rule
from tain_lab.parts import split_rule
from tain_lab.preparation import Prepared

__all__ = ["Evaluation", "evaluate"]

REAL = "real training rows"


@attrs.frozen
class Evaluation:
    """Figures by candidate: `samples`, `baseline` if there is one, and the real training rows.

    Attributes:
        rule: how each keeps the rule (`RuleReport` as plain values).
        distances: each distance to the held-out rows (`Comparison` as plain values), by name, then by candidate.
        ratios: the same medians, divided by that of the real training rows.
        nearest: median distance to the nearest training row, of the held-out rows and of each candidate's; a candidate
            far below the held-out rows copies its training data.
        boundary: share of entries below the detection limit, by column, then by candidate; empty without a limit.
    """

    rule: dict[str, dict[str, Any]]
    distances: dict[str, dict[str, dict[str, Any]]]
    ratios: dict[str, dict[str, float]]
    nearest: dict[str, float]
    boundary: dict[str, dict[str, float]]


def evaluate(samples: dict[str, Tensor], data: Prepared, constraint: Constraint, *, seed: int = 0) -> Evaluation:
    """Judge samples, by name, each (N, *S), against the held-out rows as they were measured.

    Arrays are compared by their `features`.
    """
    of_arrays = data.held_out.ndim > 2
    held_out, train = features(data.held_out_as_measured), features(data.train_as_measured)
    rows_of = {key: features(rows) for key, rows in samples.items()}
    compared = compare({**rows_of, REAL: train}, held_out, seed=seed, one_unit=of_arrays)
    ratios = {
        name: {key: figure[key].median / figure[REAL].median for key in samples} for name, figure in compared.items()
    }
    boundary: dict[str, dict[str, float]] = {}
    for part in split_rule(constraint, detection_limit=data.treatment.detection_limit):
        if not part.detection_limit or not supports(part.rule, Retractable):
            continue
        for key, rows in {**samples, REAL: data.train_as_measured}.items():
            below = part.rule.near_boundary(rows[:, part.columns], part.detection_limit)
            shares = [below.double().mean().item()] if of_arrays else below.double().mean(dim=0).tolist()
            for column, share in zip(data.columns[part.columns] or ("all",), shares, strict=True):
                boundary.setdefault(column, {})[key] = share
    return Evaluation(
        rule={key: attrs.asdict(keep_rule(rows, constraint)) for key, rows in samples.items()},
        distances={
            name: {key: attrs.asdict(comparison) for key, comparison in figure.items()}
            for name, figure in compared.items()
        },
        ratios=ratios,
        nearest={key: _nearest(rows, train, of_arrays) for key, rows in {"held-out rows": held_out, **rows_of}.items()},
        boundary=boundary,
    )


def _nearest(rows: Tensor, train: Tensor, one_unit: bool) -> float:
    deviation = train.std(dim=0, correction=0)
    if one_unit:
        deviation = deviation.square().mean().sqrt().expand_as(deviation)
    scale = torch.where(deviation > 0, deviation, 1.0)
    parts = [torch.cdist(part / scale, train / scale).min(dim=1).values for part in rows.split(1000)]
    return torch.cat(parts).median().item()
