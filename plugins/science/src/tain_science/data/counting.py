"""Training of the network that counts sources in images, whose word is the rule `Count`."""

import time
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from tain.errors import ConfigurationError
from tain_science.counting_network import CountingNetwork
from tain_science.data.galaxies import RadioGalaxies

__all__ = ["TrainedCounter", "train_counter"]


class TrainedCounter(NamedTuple):
    """A network that counts, and how well it does on images that it was not trained on.

    Attributes:
        network: takes (B, 1, H, W), gives (B,).
        accuracy: share of the held-out images whose count is off by less than 0.5.
        error: root mean squared error of those counts.
        seconds: that the images and the training took.
    """

    network: CountingNetwork
    accuracy: float
    error: float
    seconds: float


def train_counter(
    size: int = 64,
    *,
    sources: tuple[int, int] = (6, 10),
    snr: float = 15.0,
    rows: int = 4000,
    held_out: int = 500,
    steps: int = 2000,
    batch: int = 32,
    learning_rate: float = 1e-2,
    width: int = 16,
    stages: int | None = None,
    seed: int = 0,
) -> TrainedCounter:
    """Train a `CountingNetwork` on images of `RadioGalaxies` with several numbers of sources.

    By Adam, the learning rate rising to its largest and falling to 0, on the squared error of the counts and, 30 times,
    that of what the network has in each of its cells, which should be where the sources are. From the counts
    alone the same network learns much more slowly. Images are turned and mirrored at random.

    Args:
        size: height and width of the images, in pixels.
        sources: least and most sources of an image.
        snr: of the faintest possible source to the noise, in dB.
        rows: images to train on; the `held_out` ones after them judge the network.
        held_out: number of those.
        steps: of training.
        batch: images a step.
        learning_rate: the largest.
        width: channels of the network's first stage.
        stages: how often the network halves the image; by default as often as keeps its cells smaller than a source,
            2 times below 48 pixels, else 3.
        seed: of the images, the initial weights and the order of training.

    Returns:
        the network in evaluation mode, with its accuracy.

    Raises:
        ConfigurationError: an argument is beyond its limit.

    Example:
        >>> counter = train_counter(16, sources=(1, 2), rows=32, held_out=8, steps=2)
        >>> counter.network(torch.zeros(3, 1, 16, 16)).shape
        torch.Size([3])
    """
    for name, value in {"rows": rows, "held_out": held_out, "steps": steps, "batch": batch}.items():
        if value < 1:
            raise ConfigurationError(f"train_counter: '{name}' is {value}, but must be at least 1.")
    if learning_rate <= 0:
        raise ConfigurationError(f"train_counter: 'learning_rate' is {learning_rate}, but must be above 0.")
    stages = stages if stages is not None else 2 if size < 48 else 3
    start = time.perf_counter()
    images, counts, centres = RadioGalaxies(size, sources, snr).simulate_counted(rows + held_out, rng=seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = CountingNetwork(channels=1, width=width, stages=stages)
    densities = _densities(counts[:rows], centres[:rows], -(-size // 2**stages), 2**stages)
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=max(steps, 10))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(rows, (batch,), generator=rng)
        pictures, density = _turned(rng, images[chosen], densities[chosen])
        cells = network.cells(pictures)
        loss = (
            mse_loss(cells.sum((1, 2, 3)), counts[chosen].float())
            + 30 * (cells - density).square().sum((1, 2, 3)).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        said = torch.cat([network(part) for part in images[rows:].split(64)])
    error = (said - counts[rows:]).double()
    accuracy = (error.abs() < 0.5).double().mean().item()
    return TrainedCounter(network, accuracy, error.square().mean().sqrt().item(), time.perf_counter() - start)


def _densities(counts: Tensor, centres: Tensor, cells: int, side: int) -> Tensor:
    """Each source as a 1, shared among the four cells around its centre: (B, 1, cells, cells)."""
    present = (torch.arange(centres.shape[1]) < counts[:, None]).float()
    place = (centres / side - 0.5).clamp(0, cells - 1.001)  # in units of cells, from the middle of the first
    cell, share = place.long(), place.frac().float()
    density = torch.zeros(len(counts), cells * cells)
    for right in (0, 1):
        for down in (0, 1):
            weight = (share[..., 0] if right else 1 - share[..., 0]) * (share[..., 1] if down else 1 - share[..., 1])
            density.scatter_add_(1, (cell[..., 1] + down) * cells + cell[..., 0] + right, weight * present)
    return density.view(-1, 1, cells, cells)


def _turned(rng: torch.Generator, *pictures: Tensor) -> list[Tensor]:
    """All pictures turned by the same quarters, and mirrored or not."""
    quarters, mirrored = (int(torch.randint(most, (), generator=rng)) for most in (4, 2))
    turned = [picture.rot90(quarters, (2, 3)) for picture in pictures]
    return [picture.flip(3) for picture in turned] if mirrored else turned
