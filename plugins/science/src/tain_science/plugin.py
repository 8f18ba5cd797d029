"""The hooks of tain-science. Imports torch only once a hook is asked."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from tain import Component, hookimpl

if TYPE_CHECKING:
    from tain import Constraint, MirrorMap
    from tain.testing import Subject

__all__: list[str] = []


def _component(name: str, target: type, *, summary: str) -> Component:
    """A component with the examples of its name, which are made only when they are asked for."""

    def examples() -> list["Subject"]:
        from tain_science.examples import EXAMPLES

        return EXAMPLES[name]()

    return Component(name, target, summary=summary, examples=examples)


@hookimpl
def tain_constraints() -> Iterator[Component]:
    from tain_science import Brightness, Burgers, Count, DivergenceFree, Periodic

    yield _component("brightness", Brightness, summary="images whose pixels sum to a total")
    yield _component("burgers", Burgers, summary="trajectories of Burgers' equation, time down, space across")
    yield _component("divergence-free", DivergenceFree, summary="flows in two dimensions without sources or sinks")
    yield _component("periodic", Periodic, summary="images that repeat one tile, down and across")
    yield _component("count", Count, summary="images in which a network counts a given number of things")


@hookimpl
def tain_mirror_maps() -> Iterator[Component]:
    from tain_science import BrightnessEntropy, BrightnessSoftmax, Evolution, Tile

    summary = "centred log-ratios of positive pixels, an image; back by softmax times the total"
    yield _component("brightness-softmax", BrightnessSoftmax, summary=summary)
    summary = "isometric log-ratios of positive pixels, a vector; back by softmax times the total"
    yield _component("brightness-entropy", BrightnessEntropy, summary=summary)
    yield _component("evolution", Evolution, summary="the first snapshot of a trajectory; back by the solver")
    yield _component("tile", Tile, summary="the tile of a periodic image; back by tiling")


@hookimpl
def tain_mirror_for(constraint: "Constraint", event_shape: tuple[int, ...] | None) -> Iterator["MirrorMap"]:
    import tain_science as science
    from tain import ShapeError

    match constraint:
        case science.Brightness(positive=True):  # the map to images alone: networks of images take no vectors
            yield science.BrightnessSoftmax(constraint)
        case science.Periodic():
            yield science.Tile(constraint)
        case science.Evolving():
            shape = event_shape or constraint.event_shape
            with suppress(ShapeError):  # a shape of other samples than the rule's
                if shape is not None:
                    yield science.Evolution(constraint, constraint.snapshots(shape))


# ---- tain_datasets: the simulators of tain_science.data ----
@hookimpl(optionalhook=True)  # tain-lab specifies it, and is not needed for the rest
def tain_datasets() -> Iterator[Component]:
    from tain_science import data

    yield Component("crescents", data.Crescents, summary="crescents and rings of an accretion flow")
    yield Component("burgers-trajectories", data.BurgersTrajectories, summary="solutions of Burgers' equation")
    yield Component("kolmogorov-flow", data.KolmogorovFlow, summary="snapshots of a turbulent flow")
    yield Component("periodic-cells", data.PeriodicCells, summary="unit cells of two phases, tiled")
    yield Component("radio-galaxies", data.RadioGalaxies, summary="sources in smooth noise, a given number")
