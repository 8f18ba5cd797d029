"""The data of the five rules: pictures of each set, and the spectrum, divergence and cost of the flow.

    python plugins/science/studies/data.py [--rows 16] [--size 64] [--counter] [--output plugins/science/studies]

It needs matplotlib, takes about a minute on one thread, and writes `data.png`, `flow.png` and `data.txt`, which it also
prints:

distance     the largest distance of `--rows` rows to their rule, and the tolerance up to which they count as inside
seconds      of processor time for `--rows` rows, and what 2000 rows then take
energy       mean kinetic energy of the flow by wavenumber: `E(k)` is that of all modes nearest to k
divergence   mean and largest size of the discrete divergence, in units of the velocity's root mean square per pixel,
             beside that of components that do not belong together
counter      with `--counter`: accuracy of the counter of sources, and its word on images with eight
"""

import argparse
import math
import shlex
import sys
import time
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from tain_science import Count, DivergenceFree
from tain_science.data import (
    BurgersTrajectories,
    Crescents,
    KolmogorovFlow,
    PeriodicCells,
    RadioGalaxies,
    Simulator,
    train_counter,
)

ACROSS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description="data of the five rules")
    parser.add_argument("--rows", type=int, default=16, help="rows of each set")
    parser.add_argument("--size", type=int, default=64, help="height and width, in pixels")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the results")
    parser.add_argument("--counter", action="store_true", help="train the counter of galaxies too, some minutes")
    options = parser.parse_args()
    if options.rows < ACROSS:
        parser.error(f"--rows is {options.rows}, but must be at least {ACROSS}")
    torch.set_num_threads(1)
    size = options.size
    sets: dict[str, Simulator] = {
        "Crescents": Crescents(size),
        "BurgersTrajectories, viscosity 0.5": BurgersTrajectories(points=size, snapshots=size),
        "BurgersTrajectories, viscosity 0.05": BurgersTrajectories(0.05, points=size, snapshots=size),
        "PeriodicCells": PeriodicCells(cell=size // 2),
        "RadioGalaxies": RadioGalaxies(size),
        f"KolmogorovFlow, {size // 2} pixels": KolmogorovFlow(size // 2),
        "KolmogorovFlow": KolmogorovFlow(size),
    }
    lines = [f"$ python plugins/science/studies/data.py {shlex.join(sys.argv[1:])}".rstrip()]
    made = {}
    for name, simulator in sets.items():
        start = time.process_time()
        made[name] = simulator.simulate(options.rows, rng=0)
        seconds = time.process_time() - start
        lines.append(f"{name}: {options.rows} rows {tuple(made[name].shape[1:])} in {seconds:.2f} s of processor time")
        lines.append(f"    2000 rows: {seconds / options.rows * 2000 / 60:.1f} min; {told(simulator, made[name])}")
    flow = made["KolmogorovFlow"]
    spectrum = energies(flow)
    lines += ["KolmogorovFlow, energy by wavenumber:"]
    lines += [f"    E({k}) = {spectrum[k]:.2e}" for k in range(1, len(spectrum)) if k < 9 or k % 4 == 0]
    lines += [f"    total {spectrum.sum():.3f}", f"    {divergences(flow)}"]
    if options.counter:
        lines += counted(size)
    print(*lines, sep="\n")
    (options.output / "data.txt").write_text("\n".join(lines) + "\n")
    draw_sets({name: rows for name, rows in made.items() if "Flow" not in name}, options.output / "data.png")
    draw_flow(flow, spectrum, options.output / "flow.png")


def told(simulator: Simulator, rows: Tensor) -> str:
    """How far the rows are from their rule."""
    if isinstance(simulator, RadioGalaxies):
        return "distance: what a counter says, see train_counter"
    rule = simulator.constraint
    return f"distance {rule.distance(rows).max():.1e}, tolerance {rule.tolerance(rows.dtype):.1e}"


def counted(size: int) -> list[str]:
    """How well the counter counts, and what it says of 500 images with eight sources."""
    counter = train_counter(size)
    distance = Count(counter.network, 8).distance(RadioGalaxies(size).simulate(500, rng=1))
    return [
        f"train_counter: {counter.accuracy:.1%} of 500 held-out images with 6 to 10 sources are counted within 0.5, "
        f"root mean squared error {counter.error:.3f}",
        f"    distance of images with 8: mean {distance.mean():.3f}, largest {distance.max():.2f}, "
        f"{(distance < 0.5).double().mean():.1%} below 0.5",
    ]


def energies(rows: Tensor) -> Tensor:
    """Kinetic energy by wavenumber, mean over rows and snapshots: (N, 2 K, S, S) to (S / 2,)."""
    size = rows.shape[-1]
    modes = torch.fft.fft2(rows.double()).abs().square().mean(0).sum(0) / (rows.shape[1] * size**4)
    waves = torch.fft.fftfreq(size, 1 / size)
    shells = torch.hypot(waves[:, None], waves).round().long()
    return torch.zeros(size, dtype=torch.float64).index_add(0, shells.flatten(), modes.flatten())[: size // 2]


def divergences(rows: Tensor) -> str:
    """How large the discrete divergence is."""
    unit = rows.square().mean().sqrt()
    found = DivergenceFree().residual(rows).abs() / unit
    shuffled = DivergenceFree().residual(rows.roll(1, 1)).abs() / unit  # components that do not belong together
    return (
        f"divergence: mean {found.mean():.1e}, largest {found.max():.1e}; of components that do not belong together: "
        f"mean {shuffled.mean():.1e}, largest {shuffled.max():.1e}"
    )


def draw_sets(rows: dict[str, Tensor], file: Path) -> None:
    figure = Figure(figsize=(1.5 * ACROSS, 1.75 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    for part, (name, images) in zip(figure.subfigures(len(rows), 1), rows.items(), strict=True):
        part.suptitle(name, x=0.01, ha="left", fontsize=9)
        symmetric = "Burgers" in name
        for axes, image in zip(part.subplots(1, ACROSS), images[:, 0], strict=False):
            limit = image.abs().max()
            axes.imshow(image, cmap="RdBu" if symmetric else "inferno", vmin=-limit if symmetric else None)
            axes.set_axis_off()
    figure.savefig(file, dpi=80)


def draw_flow(rows: Tensor, spectrum: Tensor, file: Path) -> None:
    """Vorticity of the snapshots of three rows, and the spectrum."""
    figure = Figure(figsize=(1.5 * ACROSS, 8), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(5, 3))
    above.suptitle("KolmogorovFlow: vorticity, a row of snapshots each", x=0.01, ha="left", fontsize=9)
    grid = above.subplots(3, ACROSS)
    u, v = rows[:3, 0::2], rows[:3, 1::2]
    vorticity = (v.roll(-1, -1) - v.roll(1, -1) - u.roll(-1, -2) + u.roll(1, -2)) * rows.shape[-1] / (4 * math.pi)
    limit = vorticity.abs().quantile(0.995)
    for line, snapshots in zip(grid, vorticity, strict=True):
        for axes, snapshot in zip(line, snapshots, strict=False):
            axes.imshow(snapshot, cmap="RdBu", vmin=-limit, vmax=limit)
            axes.set_axis_off()
    left, right = below.subplots(1, 2)
    waves = torch.arange(1, len(spectrum))
    left.loglog(waves, spectrum[1:], marker=".")
    left.loglog(waves[4:], spectrum[5] * (waves[4:] / 5.0) ** -3, "k:", label="$k^{-3}$")
    left.legend()
    left.set(xlabel="wavenumber $k$", ylabel="energy $E(k)$", title="spectrum of the energy")
    energy = 0.5 * rows.unflatten(1, (-1, 2)).square().sum(2).mean((2, 3))
    right.plot(energy.T, color="C0", alpha=0.4)
    right.set(xlabel="snapshot", ylabel="kinetic energy", title="energy of each row", ylim=(0, None))
    figure.savefig(file, dpi=80)


if __name__ == "__main__":
    main()
