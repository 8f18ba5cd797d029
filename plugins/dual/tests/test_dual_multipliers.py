"""The dual step alone: against a solver of small programs, against another implementation, and in closed form."""

import pytest
import torch
from scipy.optimize import minimize

from tain_dual import Multipliers

CENTRE = torch.tensor([3.0, 2.0, -1.0], dtype=torch.float64)
A = torch.tensor([[1.0, 1.0, 0.0], [1.0, -0.5, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
B = torch.tensor([2.0, 5.0, -2.0], dtype=torch.float64)  # the second is slack


def least(multipliers):
    """The x of least |x - centre|^2 + multipliers (A x - b)."""
    return CENTRE - A.T @ multipliers.value / 2


def solved(update, steps=2000, **options):
    multipliers = Multipliers((False,) * 3, update=update, rate=0.3, steps=steps, **options).double()
    for _ in range(steps):
        multipliers.note(A @ least(multipliers) - B)
        multipliers.step()
    return multipliers


@pytest.mark.parametrize("update", ["ascent", "nupi"])
def test_a_quadratic_program_is_solved(update):
    multipliers = solved(update)
    found = minimize(
        lambda x: ((x - CENTRE.numpy()) ** 2).sum(),
        torch.zeros(3, dtype=torch.float64).numpy(),
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda x, i=i: float(B[i]) - A[i].numpy() @ x} for i in range(3)],
        options={"ftol": 1e-14},
    )
    x = torch.from_numpy(found.x)
    assert torch.allclose(least(multipliers), x, atol=1e-5)
    assert multipliers.value[1] == 0
    active = torch.linalg.lstsq(A[[0, 2]].T, 2 * (CENTRE - x)).solution  # 2 (x - centre) + A' lambda = 0
    assert torch.allclose(multipliers.value[[0, 2]], active, atol=1e-4)


@pytest.mark.parametrize("update", ["ascent", "nupi"])
def test_every_step_is_that_of_cooper(update):
    pytest.importorskip("cooper", reason="cooper-optim is not installed")
    from cooper.optim import nuPI

    ours = Multipliers((False,) * 3, update=update, rate=0.3, gain=4.0, smoothing=0.8, steps=50).double()
    theirs = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    gain = {"ascent": 0.0, "nupi": 4.0}[update]
    optimizer = nuPI([theirs], lr=0.3, Kp=torch.tensor(gain), Ki=torch.tensor(1.0), ema_nu=0.8, maximize=True)
    for step in range(50):
        ours.note(A @ least(ours) - B)
        theirs.grad = A @ (CENTRE - A.T @ theirs.detach() / 2) - B
        ours.step()
        optimizer.step()
        if step == 0 and "xi" in optimizer.state[theirs]:
            optimizer.state[theirs]["xi"].copy_(theirs.grad)  # it leaves 0 there, where its manual says the first error
        theirs.data.clamp_(min=0)  # as cooper does with the multipliers of inequalities
        assert torch.allclose(ours.value, theirs.data, rtol=1e-12, atol=1e-12)


def test_damping_ends_swings():
    """A model that follows its multiplier slowly: ascent swings about the solution, nuPI settles."""
    ends = {}
    for update in ("ascent", "nupi"):
        multipliers = Multipliers((False,), update=update, rate=0.5, gain=20.0, smoothing=0.5, steps=120)
        x = torch.tensor(0.0)
        for _ in range(120):
            x = x - 0.02 * (2 * (x - 2) + multipliers.value[0])
            multipliers.note((x - 1)[None])
            multipliers.step()
        ends[update] = (multipliers.values[-30:, 0] - 2).abs().max().item()
    assert ends["nupi"] < 0.01
    assert ends["ascent"] > 0.1


def test_resilience_relaxes_by_the_multiplier_over_twice_the_cost():
    """Minimise (x - 2)^2 + c u^2 with x <= 1 + u: lambda = 2 (2 - x), u = lambda / 2c, so u = 1 / (1 + c)."""
    cost = 3.0
    multipliers = Multipliers((False,), update="ascent", rate=0.3, resilience=cost, steps=300).double()
    for _ in range(300):
        multipliers.note((2 - multipliers.value / 2) - 1)
        multipliers.step()
    assert multipliers.relaxation.item() == pytest.approx(1 / (1 + cost), abs=1e-6)
    assert multipliers.value.item() == pytest.approx(2 * cost / (1 + cost), abs=1e-6)


def test_an_equality_may_have_a_negative_multiplier():
    for equality, expected in ((True, -2.0), (False, 0.0)):  # least x of (x - 2)^2 with x = 3, or x <= 3
        multipliers = Multipliers((equality,), update="ascent", rate=0.3, steps=300).double()
        for _ in range(300):
            multipliers.note((2 - multipliers.value / 2) - 3)
            multipliers.step()
        assert multipliers.value.item() == pytest.approx(expected, abs=1e-6)


def test_a_step_takes_the_mean_of_what_was_noted_and_leaves_what_was_not():
    multipliers = Multipliers((False, False), update="ascent", rate=1.0, steps=3)
    for excess in ([1.0, torch.nan], [3.0, torch.nan]):
        multipliers.note(torch.tensor(excess))
    multipliers.step()
    assert multipliers.value.tolist() == [2, 0]
    multipliers.note(torch.tensor([torch.nan, 5.0]))
    multipliers.step(factor=0.0)
    multipliers.note(torch.tensor([torch.nan, 5.0]))
    multipliers.step(factor=0.5)
    assert multipliers.value.tolist() == [2, 2.5]
    assert torch.equal(multipliers.values, torch.tensor([[2, 0], [2, 0], [2, 2.5]]))
    assert torch.equal(multipliers.excesses.nan_to_num(-1), torch.tensor([[2.0, -1], [-1, 5], [-1, 5]]))
