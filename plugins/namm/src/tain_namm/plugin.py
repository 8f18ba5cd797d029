"""What tain-namm provides."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import tain

if TYPE_CHECKING:
    from tain_namm.mirror import NeuralMirrorMap

__all__: list[str] = []


@tain.hookimpl
def tain_mirror_maps() -> Iterator[tain.Component]:
    from tain.testing.parabola import Parabola
    from tain_namm.mirror import NeuralMirrorMap

    def examples() -> list[NeuralMirrorMap]:
        return [
            NeuralMirrorMap(Parabola(), (3,), width=8, unrolled_steps=0),
            NeuralMirrorMap(Parabola(), (3,), width=8, unrolled_steps=0, forward_map="resnet", variant="released"),
        ]

    summary = "learned from data, for any rule with a differentiable distance"
    yield tain.Component("neural-mirror-map", NeuralMirrorMap, summary=summary, examples=examples)


@tain.hookimpl
def tain_mirror_for(constraint: "tain.Constraint", event_shape: tuple[int, ...] | None) -> Iterator["NeuralMirrorMap"]:
    from tain_namm.mirror import NeuralMirrorMap
    from tain_namm.recipes import recipe

    if event_shape is None or len(event_shape) not in (1, 3) or len(event_shape) != constraint.event_ndim:
        return
    if constraint.event_shape in (None, event_shape):
        yield NeuralMirrorMap(constraint, event_shape, **recipe(constraint).mirror)
