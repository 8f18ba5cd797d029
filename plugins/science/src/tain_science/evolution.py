"""The exact mirror map of a rule of time: the first snapshot one way, the solver the other."""

from typing import Annotated, final

from torch import Tensor

from tain import Bijective, Field, ShapeError
from tain_science.evolving import Evolving

__all__ = ["Evolution"]


@final
class Evolution(Bijective):
    """A sample that follows from its first snapshot has that for its mirror image.

        forward    y = first snapshot of x                  inverse    x = y, advance(y), advance(advance(y)), ...

    It is one to one: every state is a mirror image, of the one sample that starts there. So generators have T times
    less to learn, and the rule is kept up to the solver's rounding, whatever they learn.

    Valid range: that of the constraint's `advance`.

    Args:
        constraint: the rule of time. Samples have shape (B, *S), of either layout of `Evolving`, mirror images
            (B, C, *X).
        snapshots: T, of a sample, with the first.

    Example:
        >>> import torch
        >>> from tain_science import Burgers, Evolution
        >>> mirror = Evolution(Burgers(viscosity=0.5), snapshots=64)
        >>> x = mirror.inverse(torch.ones(2, 1, 32))
        >>> x.shape, mirror(x).shape
        (torch.Size([2, 1, 64, 32]), torch.Size([2, 1, 32]))
    """

    constraint: Evolving

    def __init__(
        self,
        constraint: Annotated[Evolving, Field("the rule of time")],
        snapshots: Annotated[int, Field("snapshots of a sample, with the first", at_least=2)],
    ):
        super().__init__()
        self.constraint, self.snapshots = constraint, snapshots

    def forward(self, x: Tensor) -> Tensor:
        """The first snapshot: (B, *S) to (B, C, *X).

        Raises:
            ShapeError: samples of another number of snapshots.
            OutsideSetError: a snapshot does not follow from the one before, up to the constraint's tolerance.
        """
        states = self.constraint.states(x)
        if states.shape[1] != self.snapshots:
            raise ShapeError(
                f"Evolution: samples have {states.shape[1]} snapshots, but must have 'snapshots', {self.snapshots}."
            )
        self.constraint.require(x)
        return states[:, 0]

    def inverse(self, y: Tensor) -> Tensor:
        """The sample that starts at y: (B, C, *X) to (B, *S)."""
        return self.constraint.evolved(y, self.snapshots)

    def log_det(self, x: Tensor) -> Tensor:
        """0, as volume on the curved set is taken to be that of the first snapshot: (B, *S) to (B,)."""
        return (0 * self.constraint.states(x)[:, 0]).flatten(1).sum(1)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.constraint.layout == "rows":
            return (event_shape[0], *event_shape[2:])
        return (self.constraint.channels, *event_shape[1:])

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        channels, *space = mirror_shape
        if self.constraint.layout == "rows":
            return (channels, self.snapshots, *space)
        return (self.snapshots * channels, *space)
