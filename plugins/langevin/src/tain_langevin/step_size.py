"""A step size that is found by trying, and then kept."""

import torch
from torch import Tensor

__all__ = ["StepSize"]

_FIRST = 0.1


class StepSize:
    """A step size h such that proposals are accepted as often as wished.

    Log h moves by gain_k (acceptance - wished) after step k, with gains that fall like k^-0.6 (Robbins and Monro); in
    the end it is the mean of the second half.

    Source: A tutorial on adaptive MCMC, https://doi.org/10.1007/s11222-008-9110-y

    Args:
        given: the step size, which then is not adapted, or None.
        wished: mean acceptance probability to aim at.
    """

    def __init__(self, given: float | None, wished: float):
        self.value = torch.tensor(_FIRST if given is None else given, dtype=torch.float64)
        self.adapted, self._wished = given is None, wished
        self.restart()

    def restart(self) -> None:
        """Begin again, since what is stepped in has changed."""
        if self.adapted:
            self.value = torch.tensor(_FIRST, dtype=torch.float64)
        self._log, self._total, self._count, self._step = self.value.log(), torch.zeros(()), 0, 0

    def adapt(self, acceptance: Tensor, left: int) -> None:
        """After a step that was accepted with these probabilities, (C,), where `left` more steps are to come."""
        if not self.adapted:
            return
        self._step += 1
        gain = 2 * self._step**-0.6
        self._log = self._log + gain * (acceptance.double().mean().cpu() - self._wished)
        if left < self._step:  # the second half since the last restart
            self._total, self._count = self._total + self._log, self._count + 1
        self.value = (self._log if left else self._total / self._count).exp()
