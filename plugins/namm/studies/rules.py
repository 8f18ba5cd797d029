"""Learned mirror maps of the five rules of tain-science, and of one known by its distance alone, by the laptop recipes.

    python plugins/namm/studies/rules.py [--rules burgers count] [--steps 300] [--output plugins/namm/studies]

It needs tain-lab and tain-science, trains each map twice, on one thread, and writes `rules.txt`, which it also prints.
One map is told the rule's own step, as the recipe says; the other, "untold", has `unrolled_steps=0`, as in the paper.
Figures are of samples that were not trained on. Their images are moved by normal noise of a size sigma:

noise       mean distance of what the forward map's exact inverse makes of them, so that all noise stays
inverse     that of what the learned inverse makes of them
ratio       inverse / noise
round trip  mean size of inverse(forward(x)) - x, in standardised units, without noise
seconds     of processor time, for training the map
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import tain
from tain_lab import Settings, fit
from tain_namm import LAPTOP, NeuralMirrorMap, Recipe
from tain_science import Count
from tain_science.data import (
    BurgersTrajectories,
    Crescents,
    KolmogorovFlow,
    PeriodicCells,
    RadioGalaxies,
    train_counter,
)

HELD_OUT = 100


class Tiles(tain.Constraint):
    """Four tiles that are alike: `Periodic` as a stranger may write it, by its distance alone."""

    event_ndim = 3

    def distance(self, x: Tensor) -> Tensor:
        tiles = x.unflatten(2, (2, -1)).unflatten(4, (2, -1))
        return (tiles - tiles.mean((2, 4), keepdim=True)).abs().flatten(1).mean(1)


def counted() -> tuple[tain.Constraint, Tensor]:
    """Galaxies that a trained counter says are eight: what it says of others is mended on them."""
    rule = Count(train_counter(32, rows=1500, held_out=200, steps=500).network, target=8)
    x = tain.refine(rule, RadioGalaxies(32).simulate(1100, rng=0))
    return rule, x[rule.contains(x)]


def tiles() -> tuple[tain.Constraint, Tensor]:
    return Tiles(), PeriodicCells(cell=8).simulate(1100, rng=0)


def simulated(
    simulator: Crescents | BurgersTrajectories | KolmogorovFlow | PeriodicCells, n: int
) -> Callable[[], tuple]:
    return lambda: (simulator.constraint, simulator.simulate(n, rng=0))


RULES = {
    "brightness": simulated(Crescents(size=32), 1100),
    "burgers": simulated(BurgersTrajectories(viscosity=0.05, points=32, snapshots=32), 700),
    "divergence-free": simulated(KolmogorovFlow(size=32, snapshots=4), 400),
    "periodic": simulated(PeriodicCells(cell=16), 1100),
    "count": counted,
    "tiles": tiles,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="learned mirror maps of six rules")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--steps", type=int, help="training steps, by default those of the recipe")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of rules.txt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [f"$ python plugins/namm/studies/rules.py {shlex.join(sys.argv[1:])}".rstrip()]
    lines.append(
        f"{'rule':24}{'steps':>6}{'seconds':>9}{'sigma':>8}{'noise':>10}{'inverse':>10}{'ratio':>8}{'round trip':>12}"
    )
    print(*lines, sep="\n")
    for name in options.rules:
        rule, x = RULES[name]()
        recipe = LAPTOP[name if name in LAPTOP else ""]
        periodic = {"periodic": True} if name == "tiles" else {}
        for label, changes in ((name, {}), (f"{name}, untold", {"unrolled_steps": 0})):
            mirror = NeuralMirrorMap(rule, tuple(x.shape[1:]), **{**recipe.mirror, **periodic, **changes})
            lines += table(label, mirror, x, recipe, options.steps or recipe.map_steps)
            print(*lines[-3:], sep="\n", flush=True)
    (options.output / "rules.txt").write_text("\n".join(lines) + "\n")


def table(label: str, mirror: NeuralMirrorMap, x: Tensor, recipe: Recipe, steps: int) -> list[str]:
    """Train the map, and tell how far from the set its inverse leaves noisy images."""
    train, held_out = x[:-HELD_OUT], x[-HELD_OUT:]
    start = time.process_time()
    fit(mirror, train, Settings(steps=steps, batch=recipe.batch, learning_rate=recipe.learning_rate), label=label)
    seconds = time.process_time() - start
    with torch.no_grad():
        y = mirror(held_out)
        trip = ((mirror.inverse(y) - held_out) / mirror.units.scale).abs().mean().item()
        lines = []
        for part in (4, 2, 1):
            sigma = recipe.mirror["sigma_max"] / part
            noisy = y + sigma * torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
            noise, learned = (
                mirror.constraint.distance(g(noisy)).mean() for g in (mirror.exact_inverse, mirror.inverse)
            )
            found = f"{sigma:8.3f}{noise:10.2g}{learned:10.2g}{learned / noise:8.3f}{trip:12.1e}"
            lines.append(f"{label:24}{steps:6}{seconds:9.0f}{found}")
    return lines


if __name__ == "__main__":
    main()
