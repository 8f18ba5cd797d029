"""The hook that tain-lab adds to those of tain: data sets that are made from a seed. Imports no torch."""

from collections.abc import Iterable

from tain.component import Component
from tain.hookspecs import hookspec

__all__: list[str] = []


@hookspec
def tain_datasets() -> Iterable[Component]:
    """The simulators of data that this plugin provides, which `tain simulate` runs.

    The class of a record is a `tain_lab.datasets.Dataset`. No plugin needs tain-lab for this: without it, the hook is
    optional, and nobody asks.

    Example:
        @tain.hookimpl(optionalhook=True)
        def tain_datasets():
            from tain_flux.data import FluxImages

            yield tain.Component("flux-images", FluxImages, summary="images of one total flux")
    """
