"""Dual training as training: resumed to the bit, told step by step, drawn, and refused before it begins."""

import attrs
import pytest
import torch
from exact_models import Histogram, Mixture, normals

import tain
from tain.testing import parametrize_checks
from tain.testing.gaussian import Gaussian
from tain_dual import DualTraining, Expectation, RuledFit, draw_histories
from tain_lab import Settings

SETTINGS = Settings(steps=60, batch=32, learning_rate=0.05, warmup=5, checkpoint_every=15)
CENTRES = torch.tensor([[-1.0], [1.0], [0.0]])


def solver(**changes):
    return DualTraining(**({"warmup": 10, "every": 4, "probe_steps": 20} | changes))


def solved(fit, *, rng=0, callback=None, checkpoint=None, training=None, **changes):
    settings = attrs.evolve(SETTINGS, **(training or {}))
    return solver(**changes).solve(fit, settings, rng=rng, callback=callback, checkpoint=checkpoint)


def problem(model=None, budgets=(0.1, 0.2)):
    sets = [normals(centre.tolist(), 200, seed) for seed, centre in enumerate(CENTRES)]
    return tain.Fit(sets[0], model or Mixture(CENTRES), sets[1:], budgets)


def ruled(model=None):
    plain = problem(model)
    rules = [Expectation(lambda x: (x[:, 0] > 0).float(), 0.5, "equal", name="share above 0")]
    return RuledFit(plain.data, plain.model, plain.against, plain.budgets, rules)


class KilledError(Exception):
    pass


def dies_after(step):
    def callback(figures):
        if figures["step"] == step:
            raise KilledError

    return callback


def same(first, second):
    for key in ("losses", "multipliers", "slacks", "objectives"):
        a, b = (torch.as_tensor(solution.statistics[key]) for solution in (first, second))
        assert torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)), key
    assert first.message == second.message
    pairs = zip(first.result.parameters(), second.result.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@parametrize_checks(
    solver(steps=60), solver(steps=60, update="ascent", reference="zero", resilience=1.0), profile="quick"
)
def test_kit(subject, check):
    check(subject)


@pytest.mark.parametrize("make", [problem, ruled])
@pytest.mark.parametrize("killed_after", [1, 15, 17, 31, 46])
def test_a_stopped_training_goes_on_to_the_bit(make, tmp_path, killed_after):
    whole = solved(make(), rng=3)
    with pytest.raises(KilledError):
        solved(make(), rng=3, callback=dies_after(killed_after), checkpoint=tmp_path / "state")
    assert (tmp_path / "state").exists() == (killed_after >= 15)
    assert same(solved(make(), rng=3, checkpoint=tmp_path / "state"), whole)
    assert {path.name for path in tmp_path.iterdir()} == {"state", "state.probe-0", "state.probe-1"}


@pytest.mark.parametrize(
    "changes", [{"rate": 0.9}, {"every": 5}, {"update": "ascent"}, {"resilience": 3.0}, {"training": {"steps": 80}}]
)
def test_a_state_of_another_training_is_refused(tmp_path, changes):
    solved(problem(), rng=3, checkpoint=tmp_path / "state")
    with pytest.raises(tain.CheckpointError, match="other settings or another seed"):
        solved(problem(), rng=3, checkpoint=tmp_path / "state", **changes)


def test_a_state_of_other_budgets_is_refused(tmp_path):
    solved(problem(), rng=3, checkpoint=tmp_path / "state")
    with pytest.raises(tain.CheckpointError, match="other settings or another seed"):
        solved(problem(budgets=(0.1, 0.3)), rng=3, checkpoint=tmp_path / "state")


def test_without_rules_it_is_plain_training():
    plain = tain.Fit(problem().data, Mixture(CENTRES))
    solution = solved(plain)
    assert solution.statistics["verdict"] == "feasible"
    assert solution.statistics["multipliers"].shape == (15, 0)
    seed = int(torch.randint(2**62, (), generator=torch.Generator().manual_seed(0)))
    from tain_lab import fit

    model = Mixture(CENTRES)
    assert fit(model, plain.data, SETTINGS, seed=seed, progress=False) == solution.statistics["losses"]
    assert torch.equal(model.logits, solution.result.logits)


def test_the_problem_and_its_model_are_left_alone():
    fit = problem()
    before = fit.model.logits.detach().clone()
    solution = solved(fit)
    assert torch.equal(fit.model.logits, before)
    assert not torch.equal(solution.result.logits, before)
    assert not solution.result.training


def test_each_step_is_told_and_the_history_is_whole():
    told = []
    solution = solved(problem(), rng=0, callback=told.append)
    assert [figures["step"] for figures in told] == list(range(1, 61))
    statistics = solution.statistics
    assert statistics["steps"].tolist() == list(range(4, 61, 4))
    assert (statistics["multipliers"][:2] == 0).all()  # the steps of the warm-up
    assert (statistics["multipliers"][2:] > 0).any()
    assert torch.equal(torch.tensor(told[-1]["multipliers"]), statistics["multipliers"][-1])
    assert torch.equal(-torch.tensor(told[-1]["excesses"]), statistics["slacks"][-1])
    assert len(statistics["losses"]) == 60
    assert statistics["objectives"].isfinite().all()


@pytest.mark.parametrize("resilience", [None, 2.0])
def test_histories_are_drawn(resilience):
    picture = draw_histories(solved(ruled(), rng=0, resilience=resilience))
    assert picture.startswith(b"\x89PNG")
    assert draw_histories(solved(tain.Fit(problem().data, Mixture(CENTRES)))).startswith(b"\x89PNG")


def test_sets_smaller_than_a_batch_are_taken_again_and_again():
    plain = problem()
    few = tain.Fit(plain.data, plain.model, [rows[:5] for rows in plain.against], plain.budgets)
    assert len(solved(few).statistics["losses"]) == 60


def test_a_model_to_be_finetuned_keeps_its_scales():
    from tain_vae import VectorVAE

    model = VectorVAE((1,), latent=2, width=8, blocks=1)
    model.prepare(10 + normals([0.0], 100, 0))
    for prepare in (True, False):
        fitted = solved(problem(model), rng=0, prepare=prepare).result
        assert torch.equal(fitted.mean, model.mean) == (not prepare)


def test_a_diffusion_model_in_either_precision_under_a_map_of_the_simplex():
    from tain_analytic import Simplex
    from tain_diffusion import VectorDiffusion

    shares = [torch.randn(100, 3, generator=torch.Generator().manual_seed(seed)).softmax(1) for seed in (0, 1)]
    for precision in ("float32", "bfloat16"):
        model = tain.Mirrored(tain.mirror_for(Simplex(3)), VectorDiffusion((2,), width=8, blocks=1))
        rule = Expectation(lambda x: x[:, 0], 0.5, "at least", name="first share", estimator="denoised")
        fit = RuledFit(shares[0], model, shares[1:], [0.1], [rule])
        solution = solved(fit, rng=0, training={"precision": precision})
        assert [outcome.name for outcome in solution.statistics["rules"]] == ["against[0]", "first share"]
        assert Simplex(3).contains(solution.result.sample(50, rng=0)).all()


class OneLoss(tain.Generator):
    def __init__(self):
        super().__init__()
        self.event_shape, self.weight = (1,), torch.nn.Parameter(torch.zeros(1))

    def loss(self, y, *, rng=None):
        return (y - self.weight).square().mean()

    def sample(self, n, *, rng=None):
        return torch.zeros(n, 1)


ROWS = normals([0.0], 200, 0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"budgets": [0.1]}, tain.ConfigurationError, "2 data sets in `against` and 1 in `budgets`"),
        ({"budgets": [0.1, -0.2]}, tain.ConfigurationError, r"budgets\[1\] is -0.2, but must be a finite number"),
        ({"budgets": [float("nan"), 0.1]}, tain.ConfigurationError, r"budgets\[0\] is nan"),
        ({"against": [ROWS, ROWS[:0]]}, tain.DataError, r"against\[1\] has no rows, but must have at least 1"),
        ({"data": ROWS[:0]}, tain.DataError, "data has no rows"),
        ({"against": [ROWS, ROWS.expand(-1, 2)]}, tain.ShapeError, r"against\[1\] have shape \(200, 2\)"),
        ({"against": [ROWS, ROWS / 0]}, tain.DataError, r"against\[1\] must be finite numbers"),
        ({"data": ROWS[:10]}, tain.ConfigurationError, "batch is 32, but must be at most .* 10"),
        ({"model": OneLoss()}, tain.ShapeError, r"OneLoss has shape \(\) for 2 samples, but must have \(2,\)"),
        ({"model": torch.nn.Linear(1, 1)}, tain.ConfigurationError, "the model is a Linear, but must be a tain.Gen"),
        ({"model": Histogram((1,)).requires_grad_(False)}, tain.TrainingError, "There is nothing to train"),
        (
            {"rules": [Expectation(lambda x: x[:, 0], float("inf"), name="mean")]},
            tain.ConfigurationError,
            "the value of the rule 'mean' is inf",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_training(changes, error, message):
    parts = {"data": ROWS, "model": Mixture(CENTRES), "against": [ROWS, ROWS], "budgets": [0.1, 0.2]} | changes
    with pytest.raises(error, match=message):
        solved(RuledFit(**parts), rng=0, callback=dies_after(1))


def test_a_problem_of_another_kind_is_refused():
    with pytest.raises(tain.ConfigurationError, match=r"the problem is a Target, but must be a tain\.Fit"):
        solved(tain.Target(lambda x: x.sum(1), None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"update": "momentum"}, "'update' is 'momentum', but must be one of 'ascent', 'nupi'"),
        ({"rate": 0.0}, "'rate' is 0.0, but must be above 0"),
        ({"warmup": 60}, "leave no dual step in 60 training steps"),
        ({"every": 61, "warmup": 0}, "leave no dual step"),
        ({"resilience": 0.0}, "'resilience' is 0.0"),
        ({"smoothing": 1.0}, "'smoothing' is 1.0"),
        ({"training": {"batch": 0}}, "'batch' is 0"),
    ],
)
def test_a_bad_configuration_is_refused(changes, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        solved(problem(), callback=dies_after(1), **changes)


def test_references_of_another_number_are_refused():
    with pytest.raises(tain.ConfigurationError, match="'reference' has 1 losses, but must have 2"):
        solved(problem(), rng=0, callback=dies_after(1), reference=(1.0,))


def test_a_normal_model_is_fitted_in_double_precision():
    fit = tain.Fit(ROWS.double(), Gaussian((0.0,), (2.0,)).double(), [1 + ROWS.double()], [0.1])
    assert solved(fit).result.mean.dtype == torch.float64
