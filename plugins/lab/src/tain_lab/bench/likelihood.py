"""The bench likelihood: log densities of trained models beside the true ones, in the space of the data."""

import math
from collections.abc import Callable, Sequence

import attrs
import torch
from torch import Tensor
from torch.distributions import Categorical, Dirichlet, MixtureSameFamily, MultivariateNormal, Normal

import tain
from tain import Constraint, Density, Mirrored
from tain.errors import MissingCapabilityError
from tain.randomness import standard_normal, uniform
from tain_lab.bench.draws import Draw, dirichlet, mixture, truncated
from tain_lab.bench.models import TRAINING_ROWS, build, trained
from tain_lab.bench.record import Bench, BenchSettings, Figures, Result
from tain_lab.randomness import stream

__all__ = ["BENCH", "GOAL", "GOAL_OF_INTEGRAL"]

GOAL, GOAL_OF_INTEGRAL = 0.05, 0.02
"""Largest difference from the truth that counts as reached: nats a dimension, and of the integral from one."""

_CELLS = 120  # of the grid of an integral, along each axis
_EXAMPLE = torch.empty(())


@attrs.frozen
class _Case:
    """A law of known density.

    Attributes:
        rule: the set it lives on.
        law: draws from it.
        log_prob: its log density, (B, d) to (B,), in the leading coordinates on a simplex.
        size: number of dimensions.
        cells: midpoints (M, d) and volumes (M,) of cells that cover the set; None where there would be too many.
        tails: as of `BenchSet`.
    """

    rule: Constraint
    law: Draw
    log_prob: Callable[[Tensor], Tensor]
    size: int
    cells: Callable[[], tuple[Tensor, Tensor]] | None
    tails: str = "kept"


def _gaussian() -> _Case:
    law = MultivariateNormal(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 1.2], [1.2, 1.0]]))

    def draw(n: int, rng: torch.Generator) -> Tensor:
        return law.loc + standard_normal((n, 2), rng, _EXAMPLE) @ law.scale_tril.T

    rule = tain.create("constraint", "unconstrained")
    return _Case(rule, draw, law.log_prob, 2, lambda: _rectangle((-8.0, -8.0), (10.0, 4.0)))


def _mixture() -> _Case:
    means, deviation = torch.tensor([[-2.0], [2.0]]), 0.5
    law = MixtureSameFamily(Categorical(torch.ones(2)), Normal(means[:, 0], deviation))
    rule = tain.create("constraint", "unconstrained")

    def log_prob(x: Tensor) -> Tensor:
        return law.log_prob(x[:, 0])

    return _Case(rule, mixture(means, deviation), log_prob, 1, lambda: _rectangle((-6.0,), (6.0,)))


def _shares() -> _Case:
    concentration = (2.0, 4.0, 8.0, 1.0, 3.0)
    law = Dirichlet(torch.tensor(concentration))
    rule = tain.create("constraint", "simplex", parts=5)
    # The density of torch.distributions is in the leading coordinates, as that of tain.
    return _Case(rule, dirichlet(concentration), lambda x: law.log_prob(x / x.sum(1, keepdim=True)), 4, None)


def _square() -> _Case:
    mean, deviation = torch.tensor([0.3, 0.9]), torch.tensor([0.3, 0.3])
    law = Normal(mean, deviation)
    mass = (law.cdf(torch.ones(2)) - law.cdf(torch.zeros(2))).log().sum()
    rule = tain.create("constraint", "box", lower=(0.0, 0.0), upper=(1.0, 1.0))

    def draw(n: int, rng: torch.Generator) -> Tensor:
        return mean + deviation * standard_normal((n, 2), rng, _EXAMPLE)

    def log_prob(x: Tensor) -> Tensor:
        return law.log_prob(x).sum(1) - mass

    return _Case(rule, truncated(rule, draw), log_prob, 2, lambda: _rectangle((0.0, 0.0), (1.0, 1.0)))


def _disc() -> _Case:
    rule = tain.create("constraint", "ball", size=2, radius=1.0)

    def draw(n: int, rng: torch.Generator) -> Tensor:
        radius, angle = uniform((n,), rng, _EXAMPLE).sqrt(), 2 * math.pi * uniform((n,), rng, _EXAMPLE)
        return torch.stack((radius * angle.cos(), radius * angle.sin()), 1)

    def log_prob(x: Tensor) -> Tensor:
        return torch.full((len(x),), -math.log(math.pi))

    def cells() -> tuple[Tensor, Tensor]:
        polar, area = _rectangle((0.0, 0.0), (1.0, 2 * math.pi))
        radius, angle = polar.unbind(1)
        return torch.stack((radius * angle.cos(), radius * angle.sin()), 1), area * radius

    return _Case(rule, truncated(rule, draw), log_prob, 2, cells, tails="shortened")


def _rectangle(lower: Sequence[float], upper: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Midpoints (M, d) and volumes (M,) of equal cells."""
    places = (torch.arange(_CELLS) + 0.5) / _CELLS
    axes = [low + (high - low) * places for low, high in zip(lower, upper, strict=True)]
    points = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    volume = math.prod((high - low) / _CELLS for low, high in zip(lower, upper, strict=True))
    return points, torch.full((len(points),), volume)


_CASES: dict[str, Callable[[], _Case]] = {
    "correlated Gaussian": _gaussian,
    "mixture of two Gaussians": _mixture,
    "Dirichlet of 5 shares": _shares,
    "Gaussian in a square": _square,
    "uniform in the disc": _disc,
}


def _measure(case: str, settings: BenchSettings) -> Result:
    known = _CASES[case]()
    mirror = tain.mirror_for(known.rule)
    train = known.law(TRAINING_ROWS, stream(settings.seed, case, "train"))
    shape = mirror.mirror_shape(tuple(train.shape[1:]))
    model = Mirrored(mirror, build(settings.generator, shape, settings.seed, tails=known.tails))
    if not isinstance(model.generator, Density):
        raise MissingCapabilityError(
            f"The bench 'likelihood' needs a generator with log_prob, but '{settings.generator}' has none. Give "
            "another with --generator, such as vector-diffusion."
        )
    training = trained(model, train, settings, case)
    held_out = known.law(settings.rows, stream(settings.seed, case, "held out"))
    difference = (model.log_prob(held_out).double() - known.log_prob(held_out).double()) / known.size
    integral = None
    if known.cells is not None:
        points, volumes = known.cells()
        integral = float((model.log_prob(points).double().exp() * volumes.double()).sum())
    return Result(
        {
            "mirror": tain.identify(mirror).name,
            "dimensions": known.size,
            "difference": float(difference.mean()),
            "standard error": float(difference.std()) / math.sqrt(len(difference)),
            "integral": integral,
            "training": {"seconds": training.seconds},
        }
    )


def _row(figures: Figures) -> dict[str, str]:
    integral = figures["integral"]
    return {
        "mirror map": figures["mirror"],
        "dimensions": str(figures["dimensions"]),
        "log density less the true one, nats a dimension": f"{figures['difference']:+.4f}",
        "standard error": f"{figures['standard error']:.4f}",
        "integral": "" if integral is None else f"{integral:.4f}",
        "training": f"{figures['training']['seconds']:.0f} s",
    }


def _verdict(all_figures: Sequence[Figures]) -> str:
    worst = max(abs(figures["difference"]) for figures in all_figures)
    integrals = [abs(figures["integral"] - 1) for figures in all_figures if figures["integral"] is not None]
    told = f"; integrals differ from one by at most {max(integrals):.4f} (goal {GOAL_OF_INTEGRAL})" if integrals else ""
    return f"Mean log densities differ from the true ones by at most {worst:.4f} nats a dimension (goal {GOAL}){told}."


BENCH = Bench(
    name="likelihood",
    summary="log densities of trained models beside the true ones",
    cases=tuple(_CASES),
    measure=_measure,
    row=_row,
    verdict=_verdict,
    notes=("On held-out data, in the space of the data: through the mirror map and its log_det.",),
)
