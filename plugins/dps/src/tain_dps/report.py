"""What a solution tells of its samples."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tain import Solution
from tain_dps.likelihood import Likelihood

__all__ = ["solution"]

_MISFIT = 10.0
"""A sample above it fits so badly that it may have diverged."""

_NAMED = 10  # rows that a message names at most


def solution(
    likelihood: Likelihood, y_0: Tensor, parts: Sequence[slice], at_first: Tensor, owner: str, remedy: str
) -> Solution:
    """All samples, with how well they fit.

    Args:
        likelihood: of all rows.
        y_0: what the reverse process ended at, (B, *T).
        parts: rows that are computed at once.
        at_first: misfit (B,) of what the denoiser expected before it knew of the measurement.
        owner: how the message calls the solver.
        remedy: what it says to do about samples that diverged.
    """
    samples, misfits, distances = [], [], []
    for part in parts:
        x = likelihood.space.samples(y_0[part])
        misfits.append(likelihood.noise.misfit(likelihood.rows(part).residual(x)))
        if likelihood.constraint is not None:
            distances.append(likelihood.constraint.distance(x))
        samples.append(x)
    x, misfit = torch.cat(samples), torch.cat(misfits)
    finite = x.flatten(1).isfinite().all(1)
    allowed = torch.where(at_first.isfinite(), at_first, 0).clamp_min(_MISFIT)
    diverged = finite & ~(misfit <= allowed)
    statistics: dict[str, Any] = {"misfit": misfit}
    if distances:
        statistics["constraint_distance"] = torch.cat(distances)
    statistics |= {"diverged": int(diverged.sum()), "not_finite": int((~finite).sum())}
    message = f"{owner}: {len(x)} samples, median misfit {float(misfit.nanmedian()):.3g} (1: as the noise)."
    for rows, verb in ((~finite, "are not finite"), (diverged, "diverged, with a misfit above 10")):
        if bool(rows.any()):
            message += f" {int(rows.sum())} of them {verb}: {_named(rows)}. {remedy}"
    return Solution(x, statistics, message)


def _named(rows: Tensor) -> str:
    places = rows.nonzero().flatten().tolist()
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return f"rows {', '.join(map(str, places[:_NAMED]))}{more}"
