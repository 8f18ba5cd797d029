"""Noise that does not depend on the number of processes: each draws for the whole batch and keeps its own rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tain.errors import TrainingError

__all__ = ["SharedDraws"]


@final
class SharedDraws(TorchDispatchMode):
    """Within it, a draw for some rows of a batch takes these rows of a draw for the whole batch.

    Only draws from an explicit `torch.Generator` are meant. They must have one row for each sample, the numbers of
    one entry must not depend on a tensor (as those of `torch.poisson` do), and the generators of all processes must
    be in the same state.

    Args:
        batch: number of rows of the whole batch.
        rows: those of this process.

    Raises:
        TrainingError: within it, at a draw of another kind.

    Example:
        >>> import torch
        >>> from tain.randomness import generator
        >>> whole = torch.randn(6, 2, generator=generator(0))
        >>> with SharedDraws(6, slice(4, 6)):
        ...     share = torch.randn(2, 2, generator=generator(0))
        >>> torch.equal(share, whole[4:6])
        True
    """

    def __init__(self, batch: int, rows: slice):
        super().__init__()
        self.batch, self.rows = batch, rows

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not any(isinstance(argument, torch.Generator) for argument in (*args, *kwargs.values())):
            return function(*args, **kwargs)
        names = [argument.name for argument in function._schema.arguments]
        if "size" in names:  # randn, rand, randint, normal of numbers
            at = names.index("size")
            wide = self._wide(function, args[at])
            return function(*args[:at], wide, *args[at + 1 :], **kwargs)[self.rows].contiguous()
        others = any(isinstance(argument, Tensor) for argument in args[1:])
        if function.overloadpacket.__name__.endswith("_like") and not others:
            return self._drawn(function, args, kwargs)
        if function._schema.is_mutable and not others:  # normal_, uniform_, exponential_
            return args[0].copy_(self._drawn(function, args, kwargs))
        raise TrainingError(
            f"Training: the loss draws by {function}, whose numbers cannot be shared among processes. Draw with "
            "tain.randomness.uniform or standard_normal and transform what they give, or train in one process."
        )

    def _drawn(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        shape = self._wide(function, args[0].shape)
        return function(args[0].new_empty(shape), *args[1:], **kwargs)[self.rows]

    def _wide(self, function: Any, size: Sequence[int]) -> list[int]:
        """The shape of a draw for the whole batch."""
        share = self.rows.stop - self.rows.start
        if not size or size[0] != share:
            raise TrainingError(
                f"Training: the loss draws an array of shape {tuple(size)} by {function} for {share} samples. Several "
                f"processes can share only draws of shape ({share}, ...), a row for each sample. Draw so, or train in "
                "one process."
            )
        return [self.batch, *size[1:]]
