"""A rough covariance of points with heavy tails."""

import torch
from torch import Tensor

__all__ = ["scatter"]

_FAR = 4  # spreads from the median


def scatter(y: Tensor) -> Tensor:
    """The covariance of y, (N, m) to (m, m), its entries brought in to 4 spreads around their medians.

    Heavy tails may have no covariance, which this has. It is mixed with its diagonal, of which it takes a share of
    50 m / (N + 50 m), since the points of chains depend on each other and tell less than as many others would.

    Example:
        >>> import torch
        >>> y = torch.tensor([[-1.0], [0.0], [1.0], [1e6]])
        >>> scatter(y) < 100
        tensor([[True]])
    """
    count, m = y.shape
    median = y.median(0).values
    spread = 1.4826 * (y - median).abs().median(0).values  # the deviation, were they normal
    spread = torch.where(spread > 0, spread, 1)
    near = ((y - median) / spread).clamp(-_FAR, _FAR)
    correlated = (near - near.mean(0)).mT @ (near - near.mean(0)) / count
    diagonal = correlated.diagonal().clamp(min=torch.finfo(y.dtype).eps)
    share = 50 * m / (count + 50 * m)
    mixed = (1 - share) * correlated + share * diagonal.diag()
    return spread[:, None] * mixed * spread
