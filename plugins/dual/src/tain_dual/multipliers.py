"""The dual step: one multiplier for each rule, moved by how far the rule is broken. It knows nothing of training.

With f the loss to minimise, g_i by how much rule i is broken (at most 0 where it is kept), and u_i by how much it is
relaxed at the cost c u_i^2, the problem and its Lagrangian are

    minimise f + sum_i c u_i^2  subject to  g_i <= u_i                                                  (1)
    L = f + sum_i lambda_i (g_i - u_i) + sum_i c u_i^2,  least in u at  u_i = lambda_i / (2 c)          (2)

Without resilience c is infinite, and every u_i is 0. From step to step, with e the mean of g - u over some estimates,

    ascent:  lambda <- [lambda + eta e]_+                                                               (3)
    nuPI:    xi <- nu xi + (1 - nu) e,   lambda <- [lambda + eta (e + kappa (xi - xi before))]_+        (4)

where xi starts as the first e, and [.]_+ is left out for rules that are equalities. Ascent is a spring without
friction: multiplier and model swing about the solution. The second term of nuPI is the friction.

Sources:
    Constrained Diffusion Models via Dual Training, https://arxiv.org/abs/2408.15094
    On PI Controllers for Updating Lagrange Multipliers in Constrained Optimization, https://arxiv.org/abs/2406.04558
    Resilient Constrained Learning, https://arxiv.org/abs/2306.02426
"""

from typing import Literal, final

import torch
from torch import Tensor, nn

__all__ = ["Multipliers", "UpdateName"]

UpdateName = Literal["ascent", "nupi"]


@final
class Multipliers(nn.Module):
    """The multipliers of some rules, and their history. All of it is in buffers, and so in checkpoints.

    Args:
        equalities: for each of the m rules, whether it is an equality, whose multiplier may have any sign.
        update: the dual step, by name: equation (3) or (4).
        rate: eta, in multiplier per unit of the rules.
        gain, smoothing: kappa and nu of nuPI; "ascent" takes neither.
        resilience: the cost c of equation (1); None if no rule is relaxed.
        steps: number K of dual steps to keep a history of.

    Attributes:
        value: the multipliers, (m,).
        taken: number of dual steps taken, ().
        values, excesses: the history: multipliers after each step and g that it took them from, (K, m), NaN where
            there is none yet.

    Example:
        >>> multipliers = Multipliers((False,), update="ascent", rate=0.5, steps=100)
        >>> x = torch.tensor(0.0)  # minimise (x - 2)^2 subject to x <= 1: x = 1, and the multiplier is 2
        >>> for step in range(100):
        ...     x = 2 - multipliers.value[0] / 2  # least x of (x - 2)^2 + multiplier x
        ...     multipliers.note((x - 1)[None])
        ...     multipliers.step()
        >>> round(x.item(), 4), round(multipliers.value.item(), 4)
        (1.0, 2.0)
    """

    value: Tensor
    least: Tensor
    taken: Tensor
    values: Tensor
    excesses: Tensor
    _smoothed: Tensor
    _total: Tensor
    _count: Tensor

    def __init__(
        self,
        equalities: tuple[bool, ...],
        *,
        update: UpdateName = "nupi",
        rate: float = 1.0,
        gain: float = 2.0,
        smoothing: float = 0.0,
        resilience: float | None = None,
        steps: int,
    ) -> None:
        super().__init__()
        self.rate, self.gain, self.smoothing = rate, 0.0 if update == "ascent" else gain, smoothing
        self.resilience = resilience
        m = len(equalities)
        self.register_buffer("least", torch.where(torch.tensor(equalities, dtype=torch.bool), -torch.inf, 0.0))
        for name in ("value", "_smoothed", "_total", "_count"):
            self.register_buffer(name, torch.zeros(m))
        for name in ("values", "excesses"):
            self.register_buffer(name, torch.full((steps, m), torch.nan))
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @property
    def relaxation(self) -> Tensor:
        """By how much each rule is relaxed at present, (m,): equation (2)."""
        return torch.zeros_like(self.value) if self.resilience is None else self.value / (2 * self.resilience)

    @torch.no_grad()
    def note(self, excess: Tensor) -> None:
        """Add an estimate of g, (m,), to those that the next step averages; NaN where there is none."""
        there = ~excess.isnan()
        self._total += torch.where(there, excess, 0.0).to(self._total.dtype)
        self._count += there

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Take a dual step by the mean of what was noted since the last one, with eta times `factor`.

        A factor of 0 leaves the multipliers as they are. So do rules of which nothing was noted.
        """
        excess = self._total / self._count  # NaN where nothing was noted
        error = torch.where(excess.isnan(), 0.0, excess - self.relaxation)
        self._smoothed.copy_(torch.where(self.taken == 0, error, self._smoothed))
        smoothed = self.smoothing * self._smoothed + (1 - self.smoothing) * error
        change = error + self.gain * (smoothed - self._smoothed)
        self.value.copy_(torch.maximum(self.value + factor * self.rate * change, self.least))  # equations (3) and (4)
        self._smoothed.copy_(smoothed)
        row = int(self.taken)
        self.values[row], self.excesses[row] = self.value, excess
        self.taken += 1
        self._total.zero_()
        self._count.zero_()
