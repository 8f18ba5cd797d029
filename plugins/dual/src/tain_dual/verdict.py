"""What became of the rules: kept, in conflict, swinging, or not kept yet; and what to do about it.

Told from the end of a training and its history. If the model minimises sum_i w_i g_i, with w the multipliers over their
sum, and finds it above 0, then no model keeps all rules, since the weighted sum would be at most 0. Multipliers that
leave little weight to the data bring the model near to that minimum, so its weighted excess tells of a conflict, and
by how much budgets must rise on the average.
"""

from collections.abc import Sequence
from typing import Literal

import attrs
import torch
from torch import Tensor

__all__ = ["Outcome", "Status", "verdict"]

Status = Literal["feasible", "infeasible", "diverging", "unfinished"]

_LITTLE = 0.25  # the data's weight, below which the model is mostly occupied with the rules
_STAGNANT = 0.8  # excess of the last quarter over that of the quarter before, above which nothing gets better
_SWINGS = 3  # changes of sign in the last half that count as swinging


@attrs.frozen(eq=False)
class Outcome:
    """How a rule ended.

    Attributes:
        name: how messages call it.
        found: the loss of the set, or the expected statistic.
        limit: what it must be to that.
        excess: by how much the rule is broken; negative where it is more than kept.
        relaxation: by how much it was relaxed.
        multiplier: the last one.
        equality: whether it is kept by an excess of 0 only.
    """

    name: str
    found: float
    limit: float
    excess: float
    relaxation: float
    multiplier: float
    equality: bool = False

    @property
    def broken(self) -> float:
        """By how much it is broken beyond what it was relaxed, at least 0."""
        beyond = self.excess - self.relaxation
        return abs(beyond) if self.equality else max(0.0, beyond)


def verdict(outcomes: Sequence[Outcome], excesses: Tensor, tolerance: float) -> tuple[Status, str]:
    """The verdict, and a message for a person.

    Args:
        outcomes: the m rules at the end.
        excesses: their history beyond what they were relaxed, (K, m), NaN where none was taken.
        tolerance: up to which a rule counts as kept.

    Example:
        >>> end = Outcome("against[0]", found=2.0, limit=1.5, excess=0.5, relaxation=0.0, multiplier=40.0)
        >>> verdict([end], torch.full((100, 1), 0.5), 0.01)[0]
        'infeasible'
    """
    broken = [index for index, outcome in enumerate(outcomes) if outcome.broken > tolerance]
    relaxed = "".join(
        f" {o.name} was relaxed by {o.relaxation:.4g}." for o in outcomes if abs(o.relaxation) > tolerance
    )
    swinging = [index for index in range(len(outcomes)) if _swings(excesses[:, index], tolerance)]
    names = ", ".join(outcomes[index].name for index in swinging)
    if not broken:
        text = f"Feasible: all {len(outcomes)} rules are kept within {tolerance:g}.{relaxed}"
        more = f" But the multipliers of {names} swung until late, and may be far from the best ones. Lower `rate`."
        return "feasible", text + (more if swinging else "")
    told = "; ".join(_told(outcomes[index]) for index in broken)
    if any(index in broken for index in swinging):
        return "diverging", (
            f"Diverging: {told}. The multipliers of {names} swing about without settling. Lower `rate`, raise `every`, "
            f"or use the update 'nupi' with a larger `gain`.{relaxed}"
        )
    total = sum(abs(outcome.multiplier) for outcome in outcomes)
    weighted = (
        sum(abs(o.multiplier) * (o.broken or o.excess - o.relaxation) for o in outcomes) / total if total else 0.0
    )
    stagnant = all(_stagnates(excesses[:, index]) for index in broken)
    if weighted > tolerance and 1 / (1 + total) < _LITTLE and stagnant:
        names = " and ".join(outcomes[index].name for index in broken)
        conflict = f"{names} conflict" if len(broken) > 1 else f"{names} cannot be kept, even almost alone"
        return "infeasible", (
            f"Infeasible: {conflict}: {told}. The data have a weight of {1 / (1 + total):.2g} left, and it gets no "
            f"better. By their multipliers, these budgets must rise by {weighted:.4g} on the average: raise them, or "
            f"set `resilience` to have them relaxed.{relaxed}"
        )
    return "unfinished", (
        f"Unfinished: {told}. The multipliers still rise, and it is not told yet whether all rules can be kept. Take "
        f"more steps, or raise `rate`.{relaxed}"
    )


def _told(outcome: Outcome) -> str:
    return (
        f"{outcome.name} is at {outcome.found:.4g} where the limit is {outcome.limit:.4g}, and has the multiplier "
        f"{outcome.multiplier:.4g}"
    )


def _quarters(history: Tensor) -> tuple[Tensor, Tensor]:
    """The last quarter but one, and the last."""
    there = history[~history.isnan()]
    part = max(1, len(there) // 4)
    return there[-2 * part : -part], there[-part:]


def _stagnates(history: Tensor) -> bool:
    before, last = _quarters(history)
    return not len(before) or bool(last.mean().abs() >= _STAGNANT * before.mean().abs())


def _swings(history: Tensor, tolerance: float) -> bool:
    """Whether it went from far above to far below and back again, in the last half."""
    half = torch.cat(_quarters(history))
    far = half[half.abs() > max(4 * tolerance, 0.25 * float(half.abs().max() if len(half) else 0))].sign()
    return int((far.diff() != 0).sum()) >= _SWINGS
