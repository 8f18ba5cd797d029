"""Categories as logits that are almost one-hot, in which diffusion on the simplex starts and ends."""

import math
from typing import final

import torch
from torch import Tensor

from tain import ConfigurationError, ShapeError

__all__ = ["AlmostOneHot"]


@final
class AlmostOneHot:
    """Labels 0 to n - 1 as logits: K for the label, -K for all others. Softmax makes them points of the simplex.

    In the centred log-ratios of `tain_analytic.SimplexSoftmax`, y_i = log x_i - mean of log x, that is the same less a
    common shift: 2 K (e_label - 1 / n). A common shift changes no softmax, so noise on these logits, softmax, and back
    to the nearest label are steps in the mirror space of the negative entropy, up to that shift. The noise that goes
    with logits of size K has deviation K.

    Source: SSD-LM: Semi-autoregressive Simplex-based Diffusion Language Model, https://arxiv.org/abs/2210.17432

    Args:
        categories: n, at least 2.
        size: K, above 0; 5 there.

    Raises:
        ConfigurationError: fewer categories, or another size.

    Example:
        >>> import torch
        >>> code = AlmostOneHot(3, size=5.0)
        >>> code.logits(torch.tensor([2, 0]))
        tensor([[-5., -5.,  5.],
                [ 5., -5., -5.]])
        >>> code.labels(torch.tensor([[0.1, 0.2, 0.0]]))
        tensor([1])
    """

    def __init__(self, categories: int, size: float = 5.0):
        if categories < 2:
            raise ConfigurationError(f"AlmostOneHot: 'categories' is {categories}, but must be at least 2.")
        if not 0 < size < math.inf:
            raise ConfigurationError(f"AlmostOneHot: 'size' is {size}, but must be above 0 and finite.")
        self.categories = categories
        self.size = size

    def logits(self, labels: Tensor) -> Tensor:
        """K (2 e_label - 1): integers (...) to (..., n), of the default dtype.

        Raises:
            ShapeError: labels are no integers from 0 to n - 1.
        """
        if labels.is_floating_point() or bool(((labels < 0) | (labels >= self.categories)).any()):
            raise ShapeError(
                f"AlmostOneHot: labels are {labels.dtype} from {labels.min()} to {labels.max()}, but must be integers "
                f"from 0 to {self.categories - 1}."
            )
        one_hot = torch.nn.functional.one_hot(labels.long(), self.categories).to(torch.get_default_dtype())
        return self.size * (2 * one_hot - 1)

    def labels(self, logits: Tensor) -> Tensor:
        """The largest of each row: (..., n) to (...). A common shift, or softmax, changes nothing."""
        return logits.argmax(-1)

    def projected(self, logits: Tensor) -> Tensor:
        """Logits of the label nearest to each row: (..., n) to (..., n), as greedy decoding does at each step."""
        return self.logits(self.labels(logits)).to(logits)
