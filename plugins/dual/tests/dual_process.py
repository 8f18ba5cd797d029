"""What one of several processes does in test_dual_processes.py: a dual training, and what it gave."""

import json
import sys
from pathlib import Path

import torch
from exact_models import Mixture, normals

import tain
from tain_dual import DualTraining, Expectation, RuledFit
from tain_lab import Settings

CENTRES = torch.tensor([[-1.0], [1.0], [0.0]])
SETTINGS = Settings(steps=24, batch=7, learning_rate=0.05, warmup=3, checkpoint_every=8)


class KilledError(Exception):
    """Raised to stop a training half-way."""


def problem():
    sets = [normals(centre.tolist(), 50, seed) for seed, centre in enumerate(CENTRES)]
    rule = Expectation(lambda x: (x[:, 0] > 0).float(), 0.5, "equal", name="share above 0")
    return RuledFit(sets[0], Mixture(CENTRES), sets[1:], [0.1, 0.2], [rule])


def trained(rng=3, **options):
    """A training, as plain numbers."""
    solver = DualTraining(warmup=4, every=2, probe_steps=6, sample_every=2)
    solution = solver.solve(problem(), SETTINGS, rng=rng, **options)
    return {
        "losses": solution.statistics["losses"],
        "multipliers": solution.statistics["multipliers"].flatten().tolist(),
        "slacks": solution.statistics["slacks"].flatten().nan_to_num(-1).tolist(),
        "weights": solution.result.logits.tolist(),
        "found": [rule.found for rule in solution.statistics["rules"]],
    }


if __name__ == "__main__":
    home, number = Path(sys.argv[1]), int(sys.argv[2])
    result = {"whole": trained(), "resumed": trained(checkpoint=home / "state")}
    try:
        trained(rng=number)
    except tain.TainError as error:
        result["error"] = str(error)
    (home / f"result-{number}.json").write_text(json.dumps(result))
