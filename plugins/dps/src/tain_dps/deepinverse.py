"""Operators of the DeepInverse library, which need not be installed."""

from typing import Any, final

from torch import Tensor, nn

from tain import ConfigurationError, MissingCapabilityError, ShapeError

__all__ = ["DeepInverse"]


@final
class DeepInverse(nn.Module):
    """A physics object of DeepInverse as an operator, without the noise that calling it would add.

    Its noise model is left out: the problem states the noise.

    Source: DeepInverse, https://deepinv.github.io

    Args:
        physics: an object with `A(x)`, and `A_adjoint(y)` if it is linear, such as `deepinv.physics.Blur(...)`.

    Raises:
        ConfigurationError: it has no method `A`.

    Example:
        >>> import torch
        >>> class Doubling:  # stands for a physics object
        ...     def A(self, x):
        ...         return 2 * x
        ...     def A_adjoint(self, y):
        ...         return 2 * y
        >>> DeepInverse(Doubling())(torch.ones(1, 2))
        tensor([[2., 2.]])
    """

    def __init__(self, physics: Any):
        super().__init__()
        if not callable(getattr(physics, "A", None)):
            raise ConfigurationError(
                f"DeepInverse: {type(physics).__name__} has no method A, but must be a physics object. Give any other "
                "operator to the problem as it is."
            )
        self.physics = physics

    def forward(self, x: Tensor) -> Tensor:
        """A x: (B, *S) to (B, *M).

        Raises:
            ShapeError: it gives several tensors.
        """
        measured = self.physics.A(x)
        if not isinstance(measured, Tensor):
            raise ShapeError(
                f"DeepInverse: {type(self.physics).__name__}.A gives a {type(measured).__name__}, but must give one "
                "tensor. Give an operator that joins its parts."
            )
        return measured

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y: (B, *M) to (B, *S).

        Raises:
            MissingCapabilityError: the physics is not linear.
        """
        if not callable(getattr(self.physics, "A_adjoint", None)):
            raise MissingCapabilityError(
                f"DeepInverse.adjoint: {type(self.physics).__name__} has no A_adjoint. Only linear physics have one."
            )
        adjoint: Tensor = self.physics.A_adjoint(y)
        return adjoint
