"""Rules on the expected value of a statistic of samples, such as the share of a class."""

from collections.abc import Callable, Sequence
from typing import Literal

import attrs
from torch import Tensor

from tain import Fit

__all__ = ["EstimatorName", "Expectation", "RuledFit", "share_of"]

EstimatorName = Literal["score", "pathwise", "denoised"]
_SENSES = {"at most": 1.0, "at least": -1.0, "equal": 1.0}


@attrs.frozen(eq=False)
class Expectation:
    """A rule: the expected value of a statistic of samples is at most, at least or equal to a value.

    Attributes:
        statistic: samples (B, *S) to one number each, (B,). Its own weights, if it has any, must be frozen
            (`requires_grad_(False)`).
        value: the limit, in the statistic's unit.
        sense: what the expected value must be to it: "at most", "at least" or "equal".
        name: how messages call it.
        estimator: how its gradient is estimated, see `tain_dual.estimators`.

    Example:
        >>> import torch
        >>> few_large = Expectation(lambda x: (x[:, 0] > 1).float(), 0.1, name="share of large values")
        >>> few_large.excess(few_large.statistic(torch.tensor([[2.0], [0.0]])))
        tensor([ 0.9000, -0.1000])
    """

    statistic: Callable[[Tensor], Tensor]
    value: float
    sense: Literal["at most", "at least", "equal"] = "at most"
    name: str = "a statistic"
    estimator: EstimatorName = "score"

    @property
    def sign(self) -> float:
        """-1 for "at least", else 1."""
        return _SENSES[self.sense]

    def excess(self, found: Tensor) -> Tensor:
        """By how much the rule is broken at values of the statistic, same shape; below 0 where it is more than kept."""
        return self.sign * (found.detach() - self.value)


@attrs.frozen(eq=False)
class RuledFit(Fit):
    """A `tain.Fit` whose samples keep rules on average as well.

    Attributes:
        rules: on expected statistics of samples.
    """

    rules: Sequence[Expectation] = ()


def share_of(classifier: Callable[[Tensor], Tensor], label: int, *, soft: bool = False) -> Callable[[Tensor], Tensor]:
    """The statistic whose expected value is the share of a class among samples.

    Args:
        classifier: samples (B, *S) to logits (B, C).
        label: the class, from 0.
        soft: its probability instead of whether it is the likeliest: a gradient can pass through it, as the estimators
            "pathwise" and "denoised" need.

    Example:
        >>> import torch
        >>> share_of(lambda x: torch.cat((x, -x), dim=1), 0)(torch.tensor([[3.0], [-1.0]]))
        tensor([1., 0.])
    """

    def statistic(x: Tensor) -> Tensor:
        logits = classifier(x)
        return logits.softmax(1)[:, label] if soft else (logits.argmax(1) == label).to(logits.dtype)

    return statistic
