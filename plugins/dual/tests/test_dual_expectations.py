"""Rules on expected statistics: each estimator's gradient, and the optimum that they lead to."""

import math

import pytest
import torch
from exact_models import Histogram, Mixture, Moved, normals

import tain
from tain.testing.gaussian import Gaussian, Identity
from tain_dual import DualTraining, Expectation, RuledFit, share_of
from tain_dual.estimators import ESTIMATORS
from tain_lab import Settings

SETTINGS = Settings(steps=1200, batch=512, learning_rate=0.05, warmup=50)


def above(x):
    return (x[:, 0] > 0).to(x.dtype)


def fitted(model, data, *rules, settings=SETTINGS, **options):
    return DualTraining(**options).solve(RuledFit(data, model, (), (), rules), settings, rng=0)


@pytest.mark.parametrize(
    ("name", "statistic", "value", "slope"),
    [
        ("score", lambda x: x[:, 0], 0.5, 1.0),
        ("score", lambda x: x[:, 0].square(), 1.25, 1.0),  # E[y^2] = 1 + m^2
        ("pathwise", lambda x: x[:, 0].square(), 1.25, 1.0),
        ("score", above, 0.6915, math.exp(-0.125) / math.sqrt(2 * math.pi)),  # P(y > 0) = Phi(m)
    ],
)
@pytest.mark.parametrize("sense", ["at most", "at least", "equal"])
def test_an_estimate_has_the_mean_of_the_gradient(name, statistic, value, slope, sense):
    """Normal samples about m = 1/2. The limit is off from the value, which must not move the gradient."""
    model = Moved((1,))
    model.mean.data.fill_(0.5)
    rule = Expectation(statistic, 1.0, sense, estimator=name)
    found, terms = ESTIMATORS[name](model, lambda y: y, rule, 100_000, torch.Generator().manual_seed(0))
    terms.mean().backward()
    assert found.mean().item() == pytest.approx(value, abs=0.02)
    assert model.mean.grad.item() == pytest.approx(rule.sign * slope, abs=0.03)


def test_the_denoised_estimate_is_unbiased_for_linear_statistics():
    """Of a normal model about m, E[y_0 given y_t] moves with m by the share that the noise leaves to the model."""
    model = Gaussian((0.5,), (1.0,))
    rule = Expectation(lambda x: x[:, 0], 0.0, estimator="denoised")
    found, terms = ESTIMATORS["denoised"](model, lambda y: y, rule, 100_000, torch.Generator().manual_seed(0))
    assert found.mean().item() == pytest.approx(0.5, abs=0.02)
    assert terms.mean().item() == pytest.approx(0.5, abs=0.02)
    terms.mean().backward()
    # d/dm (m + gain (y_t - alpha m)) = 1 - alpha^2 at alpha = cos(pi t / 2), whose mean over t is 1/2
    assert model.mean.grad.item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("sense", "value"), [("equal", 0.3), ("at most", 0.3), ("at least", 0.7)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_share_is_kept_by_the_nearest_density(sense, value, mirrored):
    """The density nearest to p with P(above 0) = s is p, scaled on each side of 0."""
    data = normals([0.0], 10000, 0)
    model = tain.Mirrored(Identity(), Histogram((1,))) if mirrored else Histogram((1,))
    rule = Expectation(above, value, sense, name="share above 0")
    solution = fitted(model, data, rule, tolerance=0.03, sample_every=2)
    assert solution.statistics["verdict"] == "feasible", solution.message
    found = solution.result.generator if mirrored else solution.result
    centres = (torch.arange(48) + 0.5) / 4 - 6
    p = torch.bincount(found.cells(data), minlength=48) / len(data)
    truth = p * torch.where(centres > 0, value / p[centres > 0].sum(), (1 - value) / p[centres < 0].sum())
    q = found.logits.softmax(0).detach()
    assert float(q[centres > 0].sum()) == pytest.approx(value, abs=0.02)
    assert float((torch.xlogy(truth, truth) - torch.xlogy(truth, q)).sum()) < 0.02
    # d/ds of KL(p, q) = -P log s - (1 - P) log(1 - s) + ..., with P the share in the data
    share = float(p[centres > 0].sum())
    slope = -share / value + (1 - share) / (1 - value)
    expected = -slope if sense != "at least" else slope
    assert solution.statistics["rules"][0].multiplier == pytest.approx(expected, rel=0.15)


def test_a_rule_that_is_kept_anyway_costs_nothing():
    solution = fitted(Histogram((1,)), normals([0.0], 10000, 0), Expectation(above, 0.9, "at most"))
    assert solution.statistics["rules"][0].multiplier == 0


def test_pathwise_samples_move_a_mean():
    """Least (m - mean)^2 / 2 with E[y] <= -1: m = -1, and the multiplier is the distance to the mean of the data."""
    rule = Expectation(lambda x: x[:, 0], -1.0, estimator="pathwise", name="mean")
    data = normals([0.5], 10000, 0)
    solution = fitted(Moved((1,)), data, rule, sample_every=1, tolerance=0.05)
    assert solution.statistics["verdict"] == "feasible", solution.message
    assert solution.result.mean.item() == pytest.approx(-1, abs=0.05)
    assert solution.statistics["rules"][0].multiplier == pytest.approx(data.mean().item() + 1, rel=0.1)


def test_a_budget_and_a_share_are_kept_together():
    """All weights of three known parts are fixed by two rules: a share on one side, and a budget."""
    centres = [[-2.0], [2.0], [0.0]]
    sets = [normals(centre, 10000, seed) for seed, centre in enumerate(centres)]
    model = Mixture(torch.tensor(centres))
    entropy = Mixture(torch.tensor(centres[1:2])).loss(sets[1]).mean().item()
    rule = Expectation(above, 0.4, "at most", name="share above 0")
    problem = RuledFit(sets[0], model, sets[1:2], [1.3], [rule])
    solver = DualTraining(reference=(entropy,), tolerance=0.03, sample_every=2)
    solution = solver.solve(problem, SETTINGS, rng=0)
    assert solution.statistics["verdict"] == "feasible", solution.message
    assert solution.statistics["rules"][0].multiplier > 0.1
    assert solution.statistics["rules"][1].found < 0.43


def test_share_of_counts_or_passes_gradients():
    x = torch.tensor([[3.0], [-1.0]], requires_grad=True)

    def classifier(x):
        return torch.cat((x, -x), dim=1)

    assert share_of(classifier, 1)(x).tolist() == [0, 1]
    soft = share_of(classifier, 1, soft=True)(x)
    assert soft.tolist() == pytest.approx([1 / (1 + math.exp(6)), 1 / (1 + math.exp(-2))])
    soft.sum().backward()
    assert (x.grad < 0).all()


@pytest.mark.parametrize(
    ("model", "estimator", "error", "message"),
    [
        (Histogram((1,)), "pathwise", tain.MissingCapabilityError, "no gradient passes from Histogram.sample"),
        (Histogram((1,)), "denoised", tain.MissingCapabilityError, "needs a diffusion model .* Histogram is none"),
        (Gaussian((0.0,), (1.0,)), "denoised", tain.MissingCapabilityError, "no gradient passes through the statistic"),
    ],
)
def test_an_estimator_that_cannot_work_is_refused(model, estimator, error, message):
    with pytest.raises(error, match=message):
        fitted(model, normals([0.0], 1000, 0), Expectation(above, 0.5, estimator=estimator))


def test_a_statistic_that_is_not_one_number_a_sample_is_refused():
    rule = Expectation(lambda x: x.mean(), 0.5, name="mean")
    with pytest.raises(tain.ShapeError, match=r"mean: the statistic of 512 samples has shape \(\), but must have"):
        fitted(Histogram((1,)), normals([0.0], 1000, 0), rule)
