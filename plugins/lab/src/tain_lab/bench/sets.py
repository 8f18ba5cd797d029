"""The data sets of the suite: a rule, a law on its set, and the mirror map that the suite uses there.

The rules and dimensions are those of two papers. Their exact mixtures are not published as numbers, so ours are the
simplest of the kind: equal modes on the axes, restricted to the set by rejection.

Sources:
    Mirror Diffusion Models for Constrained and Watermarked Generation, https://arxiv.org/abs/2310.01236
    Mirror Flow Matching with Heavy-Tailed Priors for Generative Modeling on Convex Domains,
    https://arxiv.org/abs/2510.08929 (the polytope and the ball of radius 12)
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
import torch

import tain
from tain import Constraint, MirrorMap
from tain.randomness import generator, standard_normal
from tain_lab.bench.draws import Draw, axis_modes, dirichlet, mixture, moons, spiral, truncated

__all__ = ["SETS", "BenchSet"]

Law = Callable[[Constraint], Draw]


@attrs.frozen
class BenchSet:
    """Data under a rule.

    Attributes:
        name: of the set, unique in the suite.
        rule: name and configuration of the constraint, or a function that gives them where they are long.
        law: the law of the data, given the constraint.
        note: what the data are, in words.
        mirror: name and configuration of the mirror map; None for the best that `tain.mirror_for` finds.
        tails: whether the generator brings far images near, as suits those of a log barrier.
    """

    name: str
    rule: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    law: Law = attrs.field(repr=False)
    note: str
    mirror: Mapping[str, Any] | None = None
    tails: Literal["kept", "shortened"] = "kept"

    def constraint(self) -> Constraint:
        """The rule, from the catalogue."""
        made: Constraint = _create("constraint", self.rule() if callable(self.rule) else self.rule)
        return made

    def mirror_map(self, constraint: Constraint) -> MirrorMap:
        """The mirror map of the suite for the rule."""
        if self.mirror is None:
            return tain.mirror_for(constraint)
        first = tain.parameters(tain.find("mirror-map", self.mirror["name"]).target)[0].name
        made: MirrorMap = _create("mirror-map", {**self.mirror, first: constraint})
        return made


def _create(kind: tain.Kind, table: Mapping[str, Any]) -> Any:
    return tain.create(kind, table["name"], **{key: value for key, value in table.items() if key != "name"})


def _modes(size: int, distance: float, deviation: float, center: float = 0.0) -> Law:
    """Normal modes on the axes, restricted to the set."""
    return lambda rule: truncated(rule, mixture(axis_modes(size, distance, center), deviation))


def _ball(size: int) -> BenchSet:
    note = f"{2 * size} normal modes at 0.6 along the axes of the unit ball, deviation 0.15, truncated"
    return BenchSet(
        f"ball-{size}", {"name": "ball", "size": size, "radius": 1.0}, _modes(size, 0.6, 0.15), note, tails="shortened"
    )


def _cube(size: int) -> BenchSet:
    note = f"{2 * size} normal modes at 0.3 from the middle of the unit cube along its axes, deviation 0.1, truncated"
    rule = {"name": "box", "lower": (0.0,) * size, "upper": (1.0,) * size}
    return BenchSet(f"cube-{size}", rule, _modes(size, 0.3, 0.1, center=0.5), note)


def _simplex(name: str, concentration: tuple[float, ...]) -> BenchSet:
    rule = {"name": "simplex", "parts": len(concentration)}
    shown = ", ".join(f"{value:g}" for value in concentration)
    return BenchSet(name, rule, lambda _: dirichlet(concentration), f"Dirichlet with concentration ({shown})")


def _disc(name: str, law: Draw, note: str) -> BenchSet:
    rule = {"name": "ball", "size": 2, "radius": 1.0}
    return BenchSet(name, rule, lambda rule: truncated(rule, law), note, tails="shortened")


def _thirty_faces() -> Mapping[str, Any]:
    """Thirty half-spaces at distance 1 from the origin of 10 dimensions, with normals in random directions."""
    directions = standard_normal((30, 10), generator(0), torch.empty((), dtype=torch.float64))
    normals = directions / directions.norm(dim=1, keepdim=True)
    return {"name": "polytope", "matrix": normals, "bounds": torch.ones(30, dtype=torch.float64)}


SETS: dict[str, BenchSet] = {
    entry.name: entry
    for entry in (
        *map(_ball, (2, 6, 8, 20)),
        _disc("moons", moons, "two moons in the unit disc"),
        _disc("spiral", spiral, "a spiral in the unit disc"),
        _simplex("simplex-3", (2, 4, 8)),
        _simplex("simplex-3-sparse", (1, 0.1, 5)),
        _simplex("simplex-7", (1, 2, 2, 4, 4, 8, 8)),
        _simplex("simplex-9", (1, 0.5, 2, 0.3, 0.6, 4, 8, 8, 2)),
        _simplex("simplex-20", tuple((i + 1) / 5 for i in range(20))),
        *map(_cube, (2, 3, 6, 8, 20)),
        BenchSet(
            "polytope-10",
            _thirty_faces,
            _modes(10, 0.8, 0.3),
            "30 random faces at distance 1, 20 normal modes at 0.8 along the axes, deviation 0.3, truncated",
            tails="shortened",
        ),
        BenchSet(
            "ball-6-wide",
            {"name": "ball", "size": 6, "radius": 12.0},
            _modes(6, 8.0, 2.0),
            "12 normal modes at 8 along the axes of the ball of radius 12, deviation 2, truncated",
            tails="shortened",
        ),
    )
}
"""The suite by name, in the order of its table."""
