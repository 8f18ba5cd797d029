"""What tain itself provides, through the same hooks as every plugin."""

from collections.abc import Iterator

from tain.component import Component
from tain.hookspecs import hookimpl

__all__: list[str] = []


@hookimpl
def tain_generators() -> Iterator[Component]:
    from tain.mirrored import Mirrored

    yield Component("mirrored", Mirrored, summary="any generator in the space of a mirror map")
