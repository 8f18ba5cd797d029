"""Rules of time and their exact map, with solvers of our own, of functions, of modules and of another's class."""

import pytest
import torch
from torch import nn

import tain
from tain.testing import parametrize_checks
from tain_science import Burgers, Dynamics, Evolution, Evolving


class Heat(Evolving):
    """A stranger's rule: heat that spreads over a ring, one explicit step at a time."""

    def __init__(self, rate: float = 0.2):
        super().__init__()
        self.rate = rate

    def advance(self, state):
        return state + self.rate * (state.roll(1, -1) - 2 * state + state.roll(-1, -1))


class Pendulum(nn.Module):
    """A stranger's module: positions and speeds in two channels. Dropout is off while it is a rule."""

    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.1))
        self.dropout = nn.Dropout(0.9)

    def forward(self, state):
        position, speed = state.unbind(1)
        speed = speed - self.step * position.sin()
        return self.dropout(torch.stack((position + self.step * speed, speed), 1))


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


CASES = [
    (Burgers(0.5), (1, 5, 8), (1, 8)),
    (Heat(), (1, 5, 8), (1, 8)),
    (Dynamics(lambda u: u.roll(1, -1) / 2, event_ndim=4), (1, 3, 4, 5), (1, 4, 5)),
    (Dynamics(Pendulum(), channels=2), (2, 5, 3), (2, 3)),
    (Dynamics(Pendulum(), channels=2, layout="channels"), (10, 3, 4), (2, 3, 4)),
    (Dynamics(lambda u: u / 2, layout="channels", event_ndim=1), (5,), (1,)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("rule", "shape", "state"), CASES, ids=["burgers", "class", "2d", "module", "channels", "line"]
)
def test_round_trips_both_ways_and_the_rule(rule, shape, state, dtype):
    mirror = Evolution(rule, rule.snapshots(shape))
    assert mirror.mirror_shape(shape) == state
    assert mirror.primal_shape(state) == shape
    y = normal(7, *state, dtype=dtype)
    x = mirror.inverse(y)
    assert x.shape == (7, *shape)
    assert rule.contains(x).all()
    assert mirror(x).equal(y)
    assert mirror.inverse(mirror(x)).equal(x)
    assert (mirror.log_det(x) == 0).all()
    with pytest.raises(tain.OutsideSetError, match=type(rule).__name__):
        mirror(x + 0.1 * normal(7, *shape, seed=1, dtype=dtype))


def test_layouts_put_the_same_snapshots_in_their_places():
    states = normal(3, 4, 2, 5, 6)  # (B, T, C, *X)
    rows = Dynamics(torch.sin, channels=2, event_ndim=4)
    channels = Dynamics(torch.sin, channels=2, layout="channels")
    for rule in (rows, channels):
        assert rule.states(rule.trajectory(states)).equal(states)
    assert rows.trajectory(states).equal(states.transpose(1, 2))
    assert channels.trajectory(states)[:, 2:4].equal(states[:, 1])
    assert rows.distance(rows.trajectory(states)).equal(channels.distance(channels.trajectory(states)))


def test_a_module_is_frozen_and_the_caller_keeps_it():
    module = Pendulum()
    rule = Dynamics(module, channels=2).train()
    assert module.training
    assert all(weight.requires_grad for weight in module.parameters())
    assert not any(weight.requires_grad for weight in rule.parameters())
    x = normal(2, 2, 3, 4).requires_grad_()
    distance = rule.distance(x)
    (slope,) = torch.autograd.grad(distance.sum(), x)
    assert slope.abs().sum() > 0
    assert rule.distance(x).equal(distance)  # no dropout


def test_mirror_for_finds_it_for_a_strangers_rule_too():
    for rule in (Heat(), Burgers(0.5), Dynamics(torch.sin)):
        mirror = tain.mirror_for(rule, event_shape=(1, 6, 8))
        assert isinstance(mirror, Evolution)
        assert (mirror.snapshots, mirror.constraint) == (6, rule)
    assert not any(isinstance(mirror, Evolution) for mirror in tain.offers(Heat(), event_shape=(3, 6, 8)))
    assert tain.offers(Heat()) == ()


def test_a_strangers_rule_is_saved_with_its_map(tmp_path):
    tain.register("constraint", tain.Component("heat", Heat))
    mirror = Evolution(Heat(0.1), 4)
    tain.save(mirror, tmp_path / "map")
    loaded, y = tain.load(tmp_path / "map"), normal(2, 1, 8)
    assert loaded.inverse(y).equal(mirror.inverse(y))


def trajectories(n, *, rng, dtype):
    return Heat().evolved(torch.randn((n, 1, 6), generator=rng, dtype=torch.float64), 4).to(dtype)


@parametrize_checks(
    Heat(), Evolution(Heat(), 4), event_shape=(1, 4, 6), points=trajectories, largest_image=10.0, profile="quick"
)
def test_conformance_of_a_strangers_rule(subject, check):
    check(subject)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dynamics(5), r"'stepper' is 5 \(int\)"),
        (lambda: Dynamics(torch.sin, event_ndim=1), r"'event_ndim' is 1, but must be at least 2 for the layout 'rows'"),
        (lambda: Dynamics(torch.sin, layout="row"), r"'layout' is 'row'.*Did you mean: rows"),
        (
            lambda: Dynamics(lambda u: u[..., 1:]).distance(torch.ones(2, 1, 3, 4)),
            r"\(4, 1, 3\) of states.*\(4, 1, 4\)",
        ),
        (lambda: Heat().distance(torch.ones(2, 3, 3, 4)), r"Heat.*\(3, 3, 4\), but must have \(1, T, \.\.\.\)"),
        (lambda: Heat().distance(torch.ones(2, 1, 1, 4)), r"T at least 2"),
        (lambda: Heat().snapshots((1, 4)), r"\(1, 4\), but must have 3 dimensions"),
        (
            lambda: Dynamics(torch.sin, channels=2, layout="channels").distance(torch.ones(2, 5, 3, 4)),
            r"\(5, 3, 4\), but must have \(T 2, \.\.\.\)",
        ),
        (lambda: Evolution(Heat(), 1), r"'snapshots' is 1, but must be at least 2"),
        (lambda: Evolution(Heat(), 5)(torch.zeros(1, 1, 4, 8)), r"have 4 snapshots, but must have 'snapshots', 5"),
        (lambda: Evolution(tain.create("constraint", "periodic"), 5), r"'constraint' is Periodic.*must be a Evolving"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(tain.TainError, match=message):
        call()
