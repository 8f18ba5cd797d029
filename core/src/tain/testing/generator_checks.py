"""Checks of generators: the loss, samples and training."""

import copy

import torch
from torch import Tensor

from tain.generators import Denoiser, Generator
from tain.testing.checks import check
from tain.testing.compare import at_most, finite, same
from tain.testing.learned_checks import require_every_weight
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.points import inside
from tain.testing.trials import Trial

__all__ = ["training_data"]

_STEPS, _RATE, _DATA = 60, 1e-2, 64


@check(Generator)
def loss_of_each_row(generator: Generator, trial: Trial) -> None:
    """The loss is finite, one number a row."""
    y = trial.inside()
    loss = generator.loss(y, rng=trial.rng())
    if tuple(loss.shape) != (len(y),):
        raise CheckError(f"loss: has shape {tuple(loss.shape)}, but must have one number a row, ({len(y)},).")
    finite(loss, "loss")


@check(Generator)
def loss_follows_its_seed(generator: Generator, trial: Trial) -> None:
    """The same seed gives the same loss, as an integer and as a torch.Generator."""
    y = trial.inside()
    first = generator.loss(y, rng=trial.seed).detach()
    same(generator.loss(y, rng=trial.seed), first, "loss of the same seed")
    same(generator.loss(y, rng=torch.Generator().manual_seed(trial.seed)), first, "loss of a generator of that seed")


@check(Generator, once=True)
def loss_reaches_every_weight(generator: Generator, trial: Trial) -> None:
    """The gradient of the loss reaches every weight."""
    moved, y = _stirred(generator, trial), training_data(trial)
    require_every_weight(moved, lambda: torch.cat([moved.loss(y, rng=seed) for seed in range(3)]))


@check(Generator)
def sample_form(generator: Generator, trial: Trial) -> None:
    """`sample(n)` gives n finite samples of shape event_shape, also for n = 1 and n = 0."""
    for n in (trial.rows, 1, 0):
        x = generator.sample(n, rng=trial.rng())
        if tuple(x.shape) != (n, *generator.event_shape):
            raise CheckError(f"sample({n}): has shape {tuple(x.shape)}, but must have {(n, *generator.event_shape)}.")
        if x.dtype != trial.dtype and any(True for _ in generator.parameters()):
            raise CheckError(f"sample({n}): has dtype {x.dtype}, but must have that of the weights, {trial.dtype}.")
        finite(x, f"sample({n})")


@check(Generator)
def sample_follows_its_seed(generator: Generator, trial: Trial) -> None:
    """The same seed gives the same samples, other seeds give others, and samples differ from each other."""
    generator = _stirred(generator, trial)
    first = generator.sample(4, rng=trial.seed)
    same(generator.sample(4, rng=trial.seed), first, "sample of the same seed")
    same(generator.sample(4, rng=torch.Generator().manual_seed(trial.seed)), first, "sample of a generator")
    if torch.equal(generator.sample(4, rng=trial.seed + 1), first):
        raise CheckError("sample of another seed: has the same samples, but must have others. Draw from `rng`.")
    if len(first.unique(dim=0)) < 4:
        raise CheckError(f"sample(4): has {len(first.unique(dim=0))} different samples, but must have 4.")


@check(Generator)
def samples_are_inside(generator: Generator, trial: Trial) -> None:
    """The samples of a mirrored generator keep its constraint."""
    rule = trial.subject.constraint
    if rule is None:
        raise NotApplicable(f"{type(generator).__name__} has no constraint")
    x = generator.sample(20, rng=trial.rng())
    at_most(rule.distance(x), trial.subject.limit(x.dtype), "the distance of a sample")


@check(Generator, once=True)
def loss_falls(generator: Generator, trial: Trial) -> None:
    """The loss falls when trained for a few steps on a tiny data set."""
    model, y = copy.deepcopy(generator), training_data(trial)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise NotApplicable(f"{type(generator).__name__} has no weights")
    model.prepare(y)
    before = _mean_loss(model, y)
    optimizer = torch.optim.Adam(weights, lr=_RATE)
    for step in range(_STEPS):
        optimizer.zero_grad()
        model.loss(y, rng=1000 + step).mean().backward()
        optimizer.step()
    after = _mean_loss(model, y)
    if not after < before:
        raise CheckError(f"loss: was {before:.4g} and is {after:.4g} after {_STEPS} steps of Adam, but must fall.")


@check(Denoiser)
def noise_schedule(generator: Denoiser, trial: Trial) -> None:
    """alpha falls from about 1, sigma rises from about 0, both finite, and `scale` has the shape of a sample."""
    t = torch.linspace(0, 1, 11, dtype=trial.dtype)
    alpha, sigma = generator.alpha(t), generator.sigma(t)
    finite(alpha, "alpha(t)")
    finite(sigma, "sigma(t)")
    at_most(alpha.diff(), 1e-6, "the change of alpha with time")
    at_most(-sigma.diff(), 1e-6, "minus the change of sigma with time")
    at_most((alpha[:1] - 1).abs(), 0.05, "alpha(0) - 1")
    at_most(sigma[:1].abs(), 0.15, "sigma(0)")
    if tuple(generator.scale.shape) != tuple(generator.event_shape):
        raise CheckError(f"scale: has shape {tuple(generator.scale.shape)}, but must have {generator.event_shape}.")


@check(Denoiser)
def denoise_without_noise(generator: Denoiser, trial: Trial) -> None:
    """At time 0, where there is almost no noise, `denoise` gives almost what it was given."""
    y, t = trial.inside(), torch.zeros(trial.rows, dtype=trial.dtype)
    size = 1e-3 + 10 * float(generator.sigma(t[:1])) + 2 * abs(1 - float(generator.alpha(t[:1])))
    error = (generator.denoise(y, t) - y).flatten(1).abs().amax(1)
    limit = size * (float(generator.scale.max()) + y.flatten(1).abs().amax(1))
    at_most(error, limit, "the change by denoise(y, t=0)")


def training_data(trial: Trial) -> Tensor:
    """A tiny data set with something to learn: many copies of four points."""
    return (
        inside(trial.subject, 4, trial.rng(40), trial.dtype)
        .detach()
        .repeat(_DATA // 4, *[1] * len(trial.subject.event_shape))
    )


def _stirred(generator: Generator, trial: Trial) -> Generator:
    """A copy with other weights, since networks often start with a last layer of zeros, which hides all before it."""
    moved = copy.deepcopy(generator)
    with torch.no_grad():
        for index, weight in enumerate(moved.parameters()):
            noise = torch.randn(weight.shape, generator=trial.rng(index), dtype=torch.float64)
            weight.add_(0.05 * noise.to(weight.dtype))
    return moved


def _mean_loss(model: Generator, y: Tensor) -> float:
    with torch.no_grad():
        return float(torch.stack([model.loss(y, rng=seed).mean() for seed in range(8)]).mean())
