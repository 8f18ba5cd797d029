"""Fits of known optimum: multipliers within 10% of the truth, densities within 0.02 nats; and those without one."""

import math

import pytest
import torch
from exact_models import WIDTH, Histogram, Mixture, normals, weights_of

import tain
from tain_dual import DualTraining
from tain_lab import Settings

SETTINGS = Settings(steps=1200, batch=512, learning_rate=0.05, warmup=50)
ROWS = 10000


ONE, TWO = [[-2.0], [0.0], [2.0]], [[-1.5, 0.0], [1.5, 0.0], [0.0, 1.5]]


def entropy(rows, centre):
    """The mean of -log p over rows of p, a normal density of deviation 1."""
    return Mixture(torch.tensor([centre])).loss(rows).mean().item()


def known(model, centres, multipliers):
    """A fit whose optimum has these multipliers, the entropies of its sets, and that optimum."""
    sets = [normals(centre, ROWS, seed) for seed, centre in enumerate(centres)]
    optimum = Mixture(torch.tensor(centres))
    optimum.logits.data = weights_of(multipliers).log().float()
    entropies = [entropy(rows, centre) for rows, centre in zip(sets[1:], centres[1:], strict=True)]
    budgets = [optimum.loss(rows).mean().item() - h for rows, h in zip(sets[1:], entropies, strict=True)]
    return tain.Fit(sets[0], model, sets[1:], budgets), tuple(entropies), optimum


def known_in_bins(model, centres, multipliers):
    """The same of the sets' own histograms: exact, however wide the bins and few the rows."""
    sets = [normals(centre, ROWS, seed) for seed, centre in enumerate(centres)]
    counts = torch.stack([torch.bincount(model.cells(rows), minlength=len(model.logits)) for rows in sets])
    shares = counts.double() / ROWS

    def histogram(probabilities):
        made = Histogram(model.event_shape, model.bins)
        made.logits.data = probabilities.clamp(min=1e-12).log().float()
        return made

    optimum = histogram(weights_of(multipliers) @ shares)
    entropies = [histogram(p).loss(rows).mean().item() for p, rows in zip(shares[1:], sets[1:], strict=True)]
    budgets = [optimum.loss(rows).mean().item() - h for rows, h in zip(sets[1:], entropies, strict=True)]
    return tain.Fit(sets[0], model, sets[1:], budgets), tuple(entropies), optimum


def divergence(optimum, model, shape):
    """KL(optimum, model) on a fine grid, in nats."""
    axis = torch.linspace(-WIDTH, WIDTH, 481)[:-1] + WIDTH / 480
    grid = torch.cartesian_prod(*[axis] * shape[0]).reshape(-1, shape[0])
    with torch.no_grad():
        p, q = optimum.log_prob(grid).double(), model.log_prob(grid).double()
    return float((p.exp() * (p - q)).mean() * (2 * WIDTH) ** shape[0])


@pytest.mark.parametrize("update", ["nupi", "ascent"])
@pytest.mark.parametrize(
    ("make", "centres", "fit"),
    [
        (lambda: Histogram((1,)), ONE, known),
        (lambda: Mixture(torch.tensor(TWO)), TWO, known),
        (lambda: Histogram((2,), bins=16), TWO, known_in_bins),
    ],
    ids=["1 dimension", "2 dimensions", "2 dimensions, in bins"],
)
def test_the_optimal_mixture_is_found(make, centres, fit, update):
    truth = (0.5, 1.5)
    problem, entropies, optimum = fit(make(), centres, truth)
    solution = DualTraining(update=update, reference=entropies, tolerance=0.02).solve(problem, SETTINGS, rng=0)
    assert solution.statistics["verdict"] == "feasible", solution.message
    assert [rule.multiplier for rule in solution.statistics["rules"]] == pytest.approx(truth, rel=0.1)
    assert divergence(optimum, solution.result, problem.model.event_shape) < 0.02


def test_a_budget_that_plain_training_meets_costs_nothing():
    problem, entropies, _ = known(Histogram((1,)), ONE[:2], (0.5,))
    loose = tain.Fit(problem.data, problem.model, problem.against, [20.0])
    solution = DualTraining(reference=entropies).solve(loose, SETTINGS, rng=0)
    assert solution.statistics["rules"][0].multiplier == 0
    assert divergence(Mixture(torch.tensor(ONE[:1])), solution.result, (1,)) < 0.02


def test_the_probe_finds_the_loss_of_no_divergence():
    """Of a set, its own model has the loss that its entropy is."""
    problem, entropies, _ = known(Histogram((1,)), ONE[:2], (1.0,))
    solution = DualTraining(probe_steps=600).solve(problem, SETTINGS, rng=0)
    rule = solution.statistics["rules"][0]
    assert rule.limit - problem.budgets[0] == pytest.approx(entropies[0], abs=0.02)
    assert rule.multiplier == pytest.approx(1.0, rel=0.1)


def test_a_zero_reference_makes_budgets_those_of_the_loss():
    problem, entropies, _ = known(Histogram((1,)), ONE[:2], (1.0,))
    losses = [budget + h for budget, h in zip(problem.budgets, entropies, strict=True)]
    problem = tain.Fit(problem.data, problem.model, problem.against, losses)
    solution = DualTraining(reference="zero").solve(problem, SETTINGS, rng=0)
    assert solution.statistics["rules"][0].multiplier == pytest.approx(1.0, rel=0.1)


def test_budgets_in_conflict_are_named_with_what_they_lack():
    """No density is near two that are far apart: at best half of each, log 2 away from both. A third rule is kept."""
    centres = [[0.0], [-3.0], [3.0], [0.0]]
    sets = [normals(centre, ROWS, seed) for seed, centre in enumerate(centres)]
    reference = tuple(entropy(rows, centre) for rows, centre in zip(sets[1:], centres[1:], strict=True))
    problem = tain.Fit(sets[0], Histogram((1,)), sets[1:], [0.2, 0.2, 20.0])
    solution = DualTraining(reference=reference).solve(problem, SETTINGS, rng=0)
    assert solution.statistics["verdict"] == "infeasible"
    assert "against[0] and against[1] conflict" in solution.message
    assert "against[2]" not in solution.message
    lacking = float(solution.message.split("must rise by ")[1].split()[0])
    assert lacking == pytest.approx(math.log(2) - 0.2, rel=0.15)


def test_resilience_relaxes_budgets_in_conflict_at_a_quadratic_cost():
    centres = [[0.0], [-3.0], [3.0]]
    sets = [normals(centre, ROWS, seed) for seed, centre in enumerate(centres)]
    reference = tuple(entropy(rows, centre) for rows, centre in zip(sets[1:], centres[1:], strict=True))
    problem = tain.Fit(sets[0], Histogram((1,)), sets[1:], [0.2, 0.2])
    solution = DualTraining(reference=reference, resilience=2.0, tolerance=0.03).solve(problem, SETTINGS, rng=0)
    assert solution.statistics["verdict"] == "feasible", solution.message
    assert "against[0] was relaxed by" in solution.message
    rules = solution.statistics["rules"]
    optimum = Mixture(torch.tensor(centres))
    optimum.logits.data = weights_of([rule.multiplier for rule in rules]).log().float()
    for rule, rows, h in zip(rules, sets[1:], reference, strict=True):
        assert rule.relaxation == pytest.approx(rule.multiplier / 4)
        assert optimum.loss(rows).mean().item() - h == pytest.approx(0.2 + rule.multiplier / 4, abs=0.03)


def test_multipliers_that_still_rise_are_told():
    problem, entropies, _ = known(Histogram((1,)), ONE, (0.5, 1.5))
    solution = DualTraining(rate=0.01, reference=entropies).solve(problem, SETTINGS, rng=0)
    assert solution.statistics["verdict"] == "unfinished"
    assert "Take more steps, or raise `rate`" in solution.message
