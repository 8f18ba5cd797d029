"""Steps on the rule inside of the inverse: what they are by hand, their derivatives, and where there are none."""

import copy

import pytest
import torch
from torch.autograd.function import once_differentiable

import tain
from tain_namm import NeuralMirrorMap
from tain_namm.rule_step import rule_step
from tain_namm.units import Units


class Tiles(tain.Residual):
    """Images of four tiles that are alike."""

    event_ndim = 3

    def residual(self, x):
        tiles = x.unflatten(2, (2, -1)).unflatten(4, (2, -1))
        return (tiles - tiles.mean((2, 4), keepdim=True)).flatten(1)

    def distance(self, x):
        return self.residual(x).abs().mean(1)

    def project(self, x):
        mean = x.unflatten(2, (2, -1)).unflatten(4, (2, -1)).mean((2, 4))
        return mean.tile(2, 2)


class Total(tain.Constraint):
    """Images whose entries add up to 8."""

    event_ndim = 3
    scale = 100.0

    def distance(self, x):
        return (x.flatten(1).sum(1) - 8).abs()

    def project(self, x):
        return x + ((8 - x.flatten(1).sum(1)) / x[0].numel())[:, None, None, None]


class Ball(tain.Constraint):
    """Vectors within the unit ball."""

    event_ndim = 1

    def distance(self, x):
        return (x.norm(dim=1) - 1).relu()


class Ellipse(tain.Residual):
    """Points of an ellipse: one curved equation."""

    event_ndim = 1

    def residual(self, x):
        return (x[:, :1] ** 2 / 4 + x[:, 1:] ** 2) - 1

    def distance(self, x):
        return self.residual(x).abs()[:, 0]


LINEAR = pytest.mark.parametrize("rule", [Tiles(), Total()], ids=["tiles", "total"])


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def units(shape, shift=2.0, scale=3.0):
    made = Units(shape).double()
    made.shift.fill_(shift)
    made.scale.fill_(scale)
    return made


@LINEAR
def test_of_plain_linear_rules_it_leads_to_the_nearest_point(rule):
    made, u = units((2, 4, 6)), normal(5, 2, 4, 6)
    nearest = made.standardised(rule.project(made.restored(u)))
    assert torch.allclose(u + rule_step(rule, made, u, longest=100.0), nearest, atol=1e-12)


def test_the_nearest_point_is_that_in_standardised_units():
    made, u = units((2, 4, 4)), normal(3, 2, 4, 4)
    made.scale[1] = 30.0
    step = rule_step(Total(), made, u, longest=100.0)
    assert torch.allclose(step[:, 1], 10 * step[:, 0])
    assert Total().distance(made.restored(u + step)).max() < 1e-10


def test_of_one_equation_it_is_polyaks_step():
    x = normal(4, 2) + torch.tensor([3.0, 0.0])
    at = x.clone().requires_grad_()
    distance = Ellipse().distance(at)
    (slope,) = torch.autograd.grad(distance.sum(), at)
    expected = -(distance / slope.square().sum(1))[:, None] * slope
    made = units((2,), 0.0, 1.0)
    assert torch.allclose(rule_step(Ellipse(), made, x, longest=100.0), expected.detach(), rtol=1e-10)
    short = rule_step(Ellipse(), made, x, longest=0.01)
    assert torch.allclose(short.square().mean(1).sqrt(), torch.tensor(0.01, dtype=torch.float64))
    assert (torch.cosine_similarity(short, expected) > 1 - 1e-10).all()


def test_rows_without_a_way_back_stay():
    class Root(tain.Constraint):
        event_ndim = 1

        def distance(self, x):
            return x[:, 0].abs().sqrt() + x[:, 1].relu()

    made = units((2,), 0.0, 1.0)
    u = torch.tensor(
        [[0.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0], [1.0, -1.0]], dtype=torch.float64
    ).requires_grad_()
    step = rule_step(Root(), made, u, longest=10.0)
    assert torch.equal(step[:3], torch.zeros(3, 2, dtype=torch.float64))
    assert torch.allclose(step[3], torch.tensor([-2.0, 0.0], dtype=torch.float64))
    (slope,) = torch.autograd.grad(step.sum(), u)
    assert torch.equal(slope[:3], torch.zeros(3, 2, dtype=torch.float64))
    inside = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    step = rule_step(Ball(), made, inside / 2, longest=1.0)
    assert not step.any()
    assert not torch.autograd.grad(step.sum(), inside)[0].any()
    assert rule_step(Ball(), made, inside[:0], longest=1.0).shape == (0, 2)


@LINEAR
def test_the_derivative_is_that_of_the_nearest_point(rule):
    made, u = units((1, 4, 4)), normal(2, 1, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: rule_step(rule, made, u, longest=100.0), (u,))


def test_the_derivative_is_that_of_the_nearest_point_on_the_set_as_well():
    rule, made = Tiles(), units((1, 4, 4))
    on = made.standardised(rule.project(normal(2, 1, 4, 4))).requires_grad_()
    away = normal(2, 1, 4, 4, seed=1)
    (slope,) = torch.autograd.grad((away * rule_step(rule, made, on, longest=100.0)).sum(), on)
    (expected,) = torch.autograd.grad((away * made.standardised(rule.project(made.restored(on)))).sum(), on)
    assert torch.allclose(away + slope, expected, atol=1e-10)


MODES = {
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("mode", MODES)
@LINEAR
def test_it_is_the_same_in_every_mode(rule, mode):
    made, u = units((1, 4, 4)).float(), normal(3, 1, 4, 4).float()
    expected = rule_step(rule, made, u, longest=100.0)
    mirror = NeuralMirrorMap(rule, (1, 4, 4))
    inverse = mirror.inverse(u)
    with MODES[mode]():
        assert torch.equal(rule_step(rule, made, u * 1, longest=100.0), expected)
        assert torch.allclose(mirror.inverse(u * 1), inverse, atol=1e-3)


def images(rule, n=64):
    return rule.project(torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


@LINEAR
def test_new_inverses_bring_noisy_images_back(rule):
    x = images(rule).float()
    for steps, most in ((1, 0.2), (2, 0.2), (0, 1.5)):
        mirror = NeuralMirrorMap(rule, (1, 8, 8), unrolled_steps=steps, constraint_weight=0.1)
        mirror.prepare(x)
        with torch.no_grad():
            noisy = mirror(x) + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
            ratio = rule.distance(mirror.inverse(noisy)).mean() / rule.distance(mirror.exact_inverse(noisy)).mean()
        assert ratio < most
        assert steps or ratio > 0.8


def slopes_agree(loss, weights):
    """The gradient along a random direction agrees with the difference of the loss."""
    weights = list(weights)
    directions = [normal(*weight.shape, seed=3) for weight in weights]
    slopes = torch.autograd.grad(loss(), weights)
    along = sum((a * b).sum() for a, b in zip(slopes, directions, strict=True))
    values = []
    with torch.no_grad():
        for length in (1e-6, -1e-6):
            for weight, direction in zip(weights, directions, strict=True):
                weight += length * direction
            values.append(loss())
            for weight, direction in zip(weights, directions, strict=True):
                weight -= length * direction
    assert along.item() == pytest.approx(((values[0] - values[1]) / 2e-6).item(), rel=1e-4)


@pytest.mark.parametrize("steps", [1, 2])
@LINEAR
def test_gradients_of_the_losses(rule, steps):
    """Exact where the rule is linear."""
    mirror, x = NeuralMirrorMap(rule, (1, 8, 8), unrolled_steps=steps, sigma_max=0.3).double(), images(rule, 4)
    mirror.prepare(x)
    slopes_agree(lambda: mirror.loss(x, rng=0).mean(), mirror.parameters())
    slopes_agree(lambda: mirror.finetuning_loss(x, x / 2, rng=0).mean(), mirror.finetuned())


def test_of_one_step_the_gradient_of_the_inverses_weights_is_exact_for_any_rule():
    mirror = NeuralMirrorMap(Ellipse(), (2,), width=8, sigma_max=0.3).double()
    angle = 6 * normal(16, 1)
    x = torch.cat((2 * angle.cos(), angle.sin()), dim=1)
    slopes_agree(lambda: mirror.loss(x, rng=0).mean(), mirror.finetuned())
    slopes_agree(lambda: mirror.finetuning_loss(x, 1.1 * x, rng=0).mean(), mirror.finetuned())


class _Excess(torch.autograd.Function):
    """A distance whose derivative has none."""

    @staticmethod
    def forward(ctx, x):
        excess = x.flatten(1).sum(1) - 8
        ctx.save_for_backward(excess.sign(), x)
        return excess.abs()

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        sign, x = ctx.saved_tensors
        return (slope * sign)[:, None, None, None].expand(x.shape)


def test_rules_that_can_be_differentiated_once_only():
    class Once(tain.Constraint):
        event_ndim = 3

        def distance(self, x):
            return _Excess.apply(x)

    x = images(Total()).float()
    losses = []
    for rule in (Once(), Total()):
        mirror = NeuralMirrorMap(rule, (1, 8, 8), unrolled_steps=2)
        losses.append(mirror.loss(x, rng=0))
        losses[-1].mean().backward()
        assert all(weight.grad.isfinite().all() for weight in mirror.parameters())
    assert torch.allclose(*losses)


def test_the_rule_is_no_part_of_the_inverse():
    """Its weights are neither finetuned nor held twice, and copies step by their own rule."""

    class Weighted(Total):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1, 8, 8))

        def distance(self, x):
            return super().distance(self.weight * x)

    mirror = NeuralMirrorMap(Weighted(), (1, 8, 8))
    assert not {id(weight) for weight in mirror.finetuned()} & {id(mirror.constraint.weight)}
    assert [key for key in mirror.state_dict() if key.endswith(".weight") and "constraint" in key] == [
        "constraint.weight"
    ]
    other, y = copy.deepcopy(mirror), images(Total()).float()
    before = mirror.inverse(y)
    other.constraint.weight.fill_(2.0)
    assert torch.equal(mirror.inverse(y), before)
    assert not torch.allclose(other.inverse(y), before)
