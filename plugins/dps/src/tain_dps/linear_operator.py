"""Linear operators with their adjoints."""

import abc

from torch import Tensor

from tain import ShapeError
from tain.configured import Configured

__all__ = ["LinearOperator", "require_shape"]


class LinearOperator(Configured, abc.ABC):
    """A linear A, applied to each sample on its own, with its adjoint A': <A x, y> = <x, A' y> for all x and y.

    Solvers take any differentiable callable; this class is for those that also tell their adjoint, as for a picture
    of what was measured, in the space of samples.
    """

    @abc.abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x: samples (B, *S) to measurements (B, *M).

        Raises:
            ShapeError: samples of that shape cannot be measured.
        """

    @abc.abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A' y: (B, *M) to (B, *S).

        Raises:
            ShapeError: y has not the shape of measurements.
        """


def require_shape(place: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a batch whose rows do not have the shape that an operator takes.

    Raises:
        ShapeError: names the place, the shape and what it must be.
    """
    if tensor.ndim == 0 or tuple(tensor.shape[1:]) != shape:
        wanted = ", ".join(["B", *map(str, shape)])
        raise ShapeError(f"{place}: was given shape {tuple(tensor.shape)}, but takes ({wanted}).")
