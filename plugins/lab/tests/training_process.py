"""What one of several processes does in test_lab_training_processes.py: several trainings, and what they gave."""

import json
import sys
from pathlib import Path

import attrs
import learned_parts
import torch
from torch import nn

import tain
from tain.randomness import generator, standard_normal, uniform
from tain_lab import Settings, finetune, fit
from tain_lab.training_state import TrainingState

SETTINGS = Settings(steps=24, batch=7, learning_rate=0.05, warmup=3, checkpoint_every=8)


class Straight(tain.Conditional):
    """Samples about a straight line in their condition. Its random start differs from process to process."""

    def __init__(self, event_shape: tuple[int, ...]):
        super().__init__()
        self.event_shape, self.condition_shape = event_shape, (1,)
        self.steps = 0
        self.slope = nn.Parameter(torch.zeros(event_shape))
        self.shift = nn.Parameter(torch.zeros(event_shape))

    def loss(self, y, *, condition=None, rng=None):
        rng = generator(rng)
        self.steps += 1
        weight = 0.5 + uniform((len(y),), rng, like=y)
        jitter = torch.empty_like(y).normal_(generator=rng) + standard_normal(tuple(y.shape), rng, like=y)
        line = self.shift if condition is None else self.shift + self.slope * condition
        return weight * (y + jitter - line).square().sum(1)

    def sample(self, n, *, condition=None, rng=None):
        raise NotImplementedError


class Shuffled(Straight):
    """Its loss draws what processes cannot share."""

    def loss(self, y, *, condition=None, rng=None):
        order = torch.randperm(len(y), generator=generator(rng))
        return super().loss(y, condition=condition, rng=rng)[order]


class Spoilt(Straight):
    """Its loss is no number for one row, which one process only will meet."""

    def loss(self, y, *, condition=None, rng=None):
        return super().loss(y, condition=condition, rng=rng) + torch.where(y[:, 0] > 90, float("nan"), 0.0)


class KilledError(Exception):
    pass


def rows():
    rng = torch.Generator().manual_seed(0)
    condition = torch.randn(30, 1, generator=rng)
    return 1 + 2 * condition + torch.randn(30, 3, generator=rng), condition


def weights(model):
    return torch.cat((model.slope, model.shift)).tolist()


def learned(process: int = 0):
    """A map after its training and after its finetuning: losses and weights of both."""
    data = learned_parts.images(30)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mirror = learned_parts.Curved(learned_parts.Flux(), (1, 4, 4))
    with torch.no_grad():  # as of a map whose weights are drawn from another seed in each process
        mirror.shift += process
    result = {}
    for name in ("map", "finetuning"):
        if name == "map":
            losses = fit(mirror, data, SETTINGS, progress=False)
        else:
            losses = finetune(mirror, data, 1.1 * data, SETTINGS, progress=False)
        result[name] = {"losses": losses, "weights": torch.cat([p.flatten() for p in mirror.parameters()]).tolist()}
    return result


def trained(folder: Path, process: int):
    data, condition = rows()
    result = {}

    def train(name, model=None, **changes):
        model = model or Straight((3,))
        with torch.no_grad():  # as of a model whose weights are drawn from another seed in each process
            model.shift += process
        arguments = {"settings": SETTINGS, "condition": condition} | changes
        losses = fit(model, data, checkpoint=folder / name, progress=False, **arguments)
        result[name] = {"losses": losses, "weights": weights(model), "steps": model.steps}

    train("whole")
    train("resumed")  # from the state that the test put there
    result |= learned(process)
    data[11] = 100.0
    for name, model, changes in (
        ("small", Straight((3,)), {"settings": attrs.evolve(SETTINGS, batch=1)}),
        ("shuffled", Shuffled((3,)), {}),
        ("spoilt", Spoilt((3,)), {}),
        ("unused", Straight((3,)), {"condition": None}),
    ):
        try:
            train(name, model, **changes)
        except tain.TainError as error:
            result[name] = {"error": str(error)}
    return result


def counted(write, writes):
    """The method that writes a state, which also notes that it was called."""

    def noting(state, path):
        writes.append(path.name)
        write(state, path)

    return noting


if __name__ == "__main__":
    home, number = Path(sys.argv[1]), int(sys.argv[2])
    writes: list[str] = []
    TrainingState.write = counted(TrainingState.write, writes)
    result = trained(home, number)
    (home / f"result-{number}.json").write_text(json.dumps(result))
    (home / f"writes-{number}.json").write_text(json.dumps(writes))
