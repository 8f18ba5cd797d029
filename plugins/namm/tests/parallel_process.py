"""What one of two processes does in test_namm_processes.py: steps of training and finetuning, and what they gave."""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import tain
from tain_namm import NeuralMirrorMap

SHAPE = (1, 4, 4)


class Total(tain.Constraint):
    """Images whose entries add up to 8."""

    event_ndim = 3

    def distance(self, x):
        return (x.flatten(1).sum(1) - 8).abs()


class Loss(nn.Module):
    """The map's mean loss, as a module whose call is its loss: that is what is trained in parallel."""

    def __init__(self, mirror: NeuralMirrorMap, finetuning: bool):
        super().__init__()
        self.mirror, self.finetuning = mirror, finetuning

    def forward(self, x):
        if self.finetuning:
            return self.mirror.finetuning_loss(x, x / 2, rng=0).mean()
        return self.mirror.loss(x, rng=0).mean()


def made(form: str, seed: int) -> NeuralMirrorMap:
    """In float64, and without noise, which each process would draw by itself."""
    forms = {
        "icnn": {},
        "periodic": {"periodic": True},
        "resnet": {"event_shape": (1, 8, 8), "forward_map": "resnet", "forward_width": 4, "inverse_map": "resnet"},
        "bfloat16": {},
        "finetuning": {},
        "two steps": {"unrolled_steps": 2},
        "untold": {"unrolled_steps": 0},
    }
    arguments = {"event_shape": SHAPE, "width": 4, "sigma_max": 0.0, "seed": seed, **forms[form]}
    mirror = NeuralMirrorMap(Total(), **arguments)
    return mirror if form == "bfloat16" else mirror.double()


FORMS = ("icnn", "periodic", "resnet", "bfloat16", "finetuning", "two steps", "untold")


def trained(form: str, seed: int, rows: slice, parallel: bool):
    """Three steps: the losses of the rows, all gradients of the first step, and the weights."""
    mirror = made(form, seed)
    x = torch.rand(6, *mirror.event_shape, generator=torch.Generator().manual_seed(0)).to(mirror.units.scale.dtype)
    if form == "finetuning":
        mirror.forward_map.requires_grad_(False)
    loss = Loss(mirror, form == "finetuning")
    module = DistributedDataParallel(loss) if parallel else loss
    weights = list(mirror.finetuned()) if form == "finetuning" else list(mirror.parameters())
    optimizer = torch.optim.SGD(weights, lr=0.02)
    slopes = None
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=form == "bfloat16"):
            value = module(x[rows])
        value.backward()
        slopes = slopes or [weight.grad.flatten().tolist() for weight in weights]
        optimizer.step()
    return {"slopes": slopes, "weights": [weight.detach().flatten().tolist() for weight in weights]}


if __name__ == "__main__":
    home, number = Path(sys.argv[1]), int(sys.argv[2])
    torch.distributed.init_process_group("gloo")
    half = slice(3 * number, 3 * number + 3)
    # Each process starts with other weights: those of the first are to be taken.
    results = {form: trained(form, seed=number, rows=half, parallel=True) for form in FORMS}
    (home / f"result-{number}.json").write_text(json.dumps(results))
    torch.distributed.destroy_process_group()
