"""What tain itself provides, through the same hooks as every plugin."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tain.component import Component
from tain.hookspecs import hookimpl

if TYPE_CHECKING:
    from tain.constraints import Constraint
    from tain.mirror_maps import MirrorMap

__all__: list[str] = []


def _examples(name: str) -> Callable[[], Iterable[Any]]:
    """A function of `tain.testing.examples`, which is imported only when it is called."""

    def made() -> Iterable[Any]:
        from tain.testing import examples

        return getattr(examples, name)()

    return made


@hookimpl
def tain_constraints() -> Iterator[Component]:
    from tain.blocks import Blocks
    from tain.both import Both
    from tain.preimage import Preimage

    summary = "a record with several rules, one for each block of columns"
    yield Component("blocks", Blocks, summary=summary, examples=_examples("blocks"))
    yield Component("both", Both, summary="two rules at once", examples=_examples("both"))
    yield Component("preimage", Preimage, summary="a rule of M u + s, as one of u", examples=_examples("preimage"))


@hookimpl
def tain_mirror_maps() -> Iterator[Component]:
    from tain.affine import AffineMap
    from tain.blocks_mirror import BlocksMirror
    from tain.chain import Chain
    from tain.refined import Refined

    summary = "a mirror map after a linear change of variables"
    yield Component("affine", AffineMap, summary=summary, examples=_examples("affine"))
    summary = "a mirror map for each block of columns, side by side"
    yield Component("blocks-mirror", BlocksMirror, summary=summary, examples=_examples("blocks_mirror"))
    yield Component("chain", Chain, summary="two mirror maps, one after the other", examples=_examples("chain"))
    summary = "a mirror map, with its points brought onto the set by Newton steps"
    yield Component("refined", Refined, summary=summary, examples=_examples("refined"))


@hookimpl
def tain_generators() -> Iterator[Component]:
    from tain.mirrored import Mirrored

    summary = "any generator in the space of a mirror map"
    yield Component("mirrored", Mirrored, summary=summary, examples=_examples("mirrored"))


@hookimpl
def tain_mirror_for(constraint: "Constraint", event_shape: tuple[int, ...] | None) -> Iterator["MirrorMap"]:
    from tain.affine import AffineMap
    from tain.blocks import Blocks
    from tain.blocks_mirror import BlocksMirror
    from tain.capabilities import supports
    from tain.mirror_maps import Legendre
    from tain.mirror_search import offers
    from tain.preimage import Preimage

    if isinstance(constraint, Blocks):
        shapes = [None if event_shape is None else (size,) for size in constraint.sizes]
        pairs = zip(constraint.constraints, shapes, strict=True)
        best = [offers(block, event_shape=shape)[:1] for block, shape in pairs]
        if all(best):
            yield BlocksMirror(constraint, tuple(mirror for (mirror,) in best))
    if isinstance(constraint, Preimage):
        for mirror in offers(constraint.constraint, event_shape=event_shape):
            shape = constraint.event_shape
            if supports(mirror, Legendre) and mirror.mirror_shape(shape) == shape:
                yield AffineMap.of(mirror, constraint)
