"""The probability simplex: shares that are at least zero and sum to one."""

from typing import Annotated, final

import torch
from torch import Tensor

from tain import Field, Interior, OutsideSetError, Projectable, Retractable
from tain.randomness import generator, uniform
from tain_analytic.numerics import require_margin

__all__ = ["Simplex"]


@final
class Simplex(Projectable, Interior, Retractable):
    """Shares: {x : every x_i >= 0, sum of x_i = 1}. Samples have shape (B, parts).

    Args:
        parts: number of shares, at least 2.

    Raises:
        ConfigurationError: fewer than two parts.

    Example:
        >>> import torch
        >>> from tain_analytic import Simplex
        >>> simplex = Simplex(3)
        >>> simplex.distance(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.05], [-0.01, 0.51, 0.5]]))
        tensor([0.0000, 0.2000, 0.0100])
    """

    event_ndim = 1
    event_shape: tuple[int, ...]
    retraction = (
        "Each row is divided by its sum; shares below the margin are then set to it and the row's other shares scaled "
        "down in common (multiplicative replacement), which keeps the ratios between them."
    )

    def __init__(self, parts: Annotated[int, Field("number of shares", at_least=2)]):
        super().__init__()
        self.event_shape = (parts,)

    def distance(self, x: Tensor) -> Tensor:
        """By how much the rule is broken: |sum - 1| plus the size of all negative shares. (B, parts) to (B,).

        This is no Euclidean distance, but figures that a reader can check by hand: a row that sums to 0.8 is 0.2
        away, and a share of -0.01 in a row that sums to one is 0.01 away.
        """
        return (x.sum(1) - 1).abs() + (-x).relu().sum(1)

    def project(self, x: Tensor) -> Tensor:
        """The nearest point in the Euclidean norm: max(x - t, 0), with t such that the sum is one.

        Source: Projection onto the probability simplex, https://arxiv.org/abs/1309.1541
        """
        top = x.detach().amax(1, keepdim=True)
        descending = (x - top).sort(1, descending=True).values
        count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
        thresholds = (descending.cumsum(1) - 1) / count  # t - top, were just the k largest shares positive
        positive = (descending > thresholds).sum(1, keepdim=True)
        share = x - (top + thresholds.gather(1, positive - 1))
        # Rounding of t has moved all positive shares alike, far out to nothing; their sum says by how much.
        seen = (share > 0).sum(1, keepdim=True)
        excess = (share.relu().sum(1, keepdim=True) - 1) / torch.where(seen > 0, seen, positive)
        return (share - excess).relu()

    def interior(self, n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """Points drawn uniformly, each moved 1% of its way to the centre, so that no share is below 0.01 / parts."""
        (parts,) = self.event_shape
        like = torch.empty((), dtype=dtype or torch.get_default_dtype())
        waiting = -torch.log1p(-uniform((n, parts), generator(rng), like))  # exponential; normalised, uniform
        return 0.99 * waiting / waiting.sum(1, keepdim=True) + 0.01 / parts

    def retract(self, x: Tensor, margin: float = 0.0) -> Tensor:
        """Divide each row by its sum, then replace shares below `margin` multiplicatively.

        Replaced shares become `margin`; the others of the row are multiplied by one factor, so that the sum is one
        again and the ratios between them stay as they were measured. That factor is at least 1 - (parts - 1) margin,
        so no share of the result is below margin (1 - (parts - 1) margin), and a negative share is replaced as well.

        Source: Dealing with zeros and missing values in compositional data sets using nonparametric imputation,
        Martín-Fernández, Barceló-Vidal and Pawlowsky-Glahn 2003, https://doi.org/10.1023/A:1023866030544

        Args:
            x: samples, shape (B, parts), with a positive sum.
            margin: what small shares become, such as the detection limit or two thirds of it; at least 0 and below
                1 / parts.

        Raises:
            ConfigurationError: a margin outside of its limits.
            OutsideSetError: the sum of a row is not positive, or not finite.

        Example:
            >>> Simplex(3).retract(torch.tensor([[0.0, 0.2, 0.6]]), margin=0.1)
            tensor([[0.1000, 0.2250, 0.6750]])
        """
        (parts,) = self.event_shape
        require_margin("Simplex.retract", margin, 1 / parts)
        total = x.sum(1, keepdim=True)
        closable = (total > 0) & torch.isfinite(total)
        if not bool(closable.all()):
            row = int((~closable).flatten().nonzero()[0])
            raise OutsideSetError(
                f"Simplex.retract: row {row} sums to {float(total[row]):.6g}, but only a positive finite sum can be "
                "scaled to one. Correct or leave out that row."
            )
        share = x / total
        small = share < margin
        kept = torch.where(small, 0, share)
        # (1 - sum of replacements) / (sum of the kept shares); the largest share is at least 1 / parts, so is kept
        factor = (1 - margin * small.sum(1, keepdim=True, dtype=x.dtype)) / kept.sum(1, keepdim=True)
        return (kept * factor).masked_fill(small, margin)

    def near_boundary(self, x: Tensor, margin: float) -> Tensor:
        """Which shares are below `margin`: booleans, shape (B, parts)."""
        return x < margin
