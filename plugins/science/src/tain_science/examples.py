"""Small instances of each component, by name, through which `pytest --tain-conformance` tests them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from tain import Configured
from tain.testing.subjects import Subject, as_subject
from tain_science.brightness import Brightness
from tain_science.brightness_entropy import BrightnessEntropy
from tain_science.brightness_softmax import BrightnessSoftmax
from tain_science.burgers import Burgers
from tain_science.count import Count
from tain_science.counting_network import CountingNetwork
from tain_science.divergence_free import DivergenceFree
from tain_science.evolution import Evolution
from tain_science.periodic import Periodic
from tain_science.tile import Tile

__all__ = ["EXAMPLES"]


def _subject(component: Configured, shape: tuple[int, ...], **settings: Any) -> Subject:
    return as_subject(component, event_shape=shape, **settings)


def _burgers() -> Burgers:
    return Burgers(0.5, step=0.01, every=2)


def _trajectories(n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    source = rng if isinstance(rng, torch.Generator) else torch.Generator().manual_seed(rng or 0)
    start = torch.randn((n, 1, 6), generator=source, dtype=torch.float64)
    return _burgers().evolved(start, 4).to(dtype or torch.get_default_dtype())


def _perturbed(n: int, *, rng: torch.Generator | int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    source = rng if isinstance(rng, torch.Generator) else torch.Generator().manual_seed(rng or 0)
    x = _trajectories(n, rng=source, dtype=dtype)
    return x + torch.randn(x.shape, generator=source, dtype=torch.float64).to(x.dtype)


def _counter() -> CountingNetwork:
    """A network whose weights are the same in every process."""
    network = CountingNetwork(channels=2, width=3, stages=1)
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=source) - weight)
    return network


EXAMPLES: Mapping[str, Callable[[], list[Subject]]] = {
    "brightness": lambda: [
        _subject(Brightness(10.0), (2, 3, 4)),
        _subject(Brightness(10.0, positive=True), (1, 3, 4)),
    ],
    "burgers": lambda: [_subject(_burgers(), (1, 4, 6), points=_trajectories, outside=_perturbed)],
    "divergence-free": lambda: [
        _subject(DivergenceFree(), (4, 5, 6)),
        _subject(DivergenceFree("staggered"), (2, 4, 3)),
        _subject(DivergenceFree("spectral"), (2, 4, 5)),
    ],
    "periodic": lambda: [
        _subject(Periodic((2, 3)), (2, 4, 6)),
        _subject(Periodic((1, 2)), (1, 2, 4)),
    ],
    "count": lambda: [_subject(Count(_counter(), target=8.0), (2, 6, 5))],
    "brightness-softmax": lambda: [
        _subject(BrightnessSoftmax(Brightness(10.0, positive=True)), (1, 3, 4)),
    ],
    "brightness-entropy": lambda: [
        _subject(BrightnessEntropy(Brightness(10.0, positive=True), (1, 3, 4)), (1, 3, 4)),
    ],
    "evolution": lambda: [
        _subject(Evolution(_burgers(), 4), (1, 4, 6), points=_trajectories, largest_image=3.0),
    ],
    "tile": lambda: [_subject(Tile(Periodic((2, 3))), (2, 4, 6))],
}
