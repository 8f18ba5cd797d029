"""Equations given by operators, rules that are polytopes together, and watermarks."""

import pytest
import torch

import tain
from tain_analytic import (
    AffineSubspace,
    Ball,
    Box,
    EuclideanProjection,
    HalfSpace,
    LinearEquations,
    Orthant,
    Polytope,
    PolytopeBarrier,
    Simplex,
    Slabs,
    false_positives,
    polytope_of,
    private_watermark,
)

each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def source(seed):
    return torch.Generator().manual_seed(seed)


class Divergence(LinearEquations):
    """A periodic flow (2, n, n) without divergence. The equations sum to zero, so one follows from the others."""

    event_ndim = 3

    def __init__(self, size: int = 6):
        super().__init__()
        self.event_shape = (2, size, size)

    def equations(self, x):
        u, v = x.unbind(1)
        return ((u.roll(-1, 2) - u.roll(1, 2) + v.roll(-1, 1) - v.roll(1, 1)) / 2).flatten(1)


class Brightness(LinearEquations):
    """Images (1, 8, 8) with a total of 120."""

    event_ndim, event_shape, scale = 3, (1, 8, 8), 120.0

    def equations(self, x):
        return x.sum((1, 2, 3))[:, None] - 120


class Contradiction(LinearEquations):
    event_ndim, event_shape = 1, (2,)

    def equations(self, x):
        return torch.stack([x[:, 0] - 1, x[:, 0] - 2], 1)


def dense(rule):
    """The same equations as a matrix, whose rows are the operator's products with unit vectors."""
    size = torch.Size(rule.event_shape).numel()
    zero = rule.equations(torch.zeros(1, *rule.event_shape).double())[0]
    columns = rule.equations(torch.eye(size).double().reshape(size, *rule.event_shape)) - zero
    return AffineSubspace(columns.T, -zero)


RULES = [Divergence(6), Divergence(5), Brightness()]
each_rule = pytest.mark.parametrize("rule", RULES, ids=["divergence-6", "divergence-5", "brightness"])


@each_rule
@each_dtype
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_projection_is_that_of_the_matrix(rule, dtype, size):
    x = (size * torch.randn((4, *rule.event_shape), generator=source(0), dtype=torch.float64)).to(dtype)
    found = rule.project(x)
    assert found.dtype == dtype
    assert (rule.distance(found) <= 20 * torch.finfo(dtype).eps * max(size, rule.scale)).all()
    expected = dense(rule).project(x.double().flatten(1)).view_as(x)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=64 * torch.finfo(dtype).eps * max(size, 4))


@each_rule
def test_projection_is_on_its_own_for_every_row(rule):
    x = torch.randn((5, *rule.event_shape), generator=source(1)) * torch.logspace(-8, 8, 5).view(5, 1, 1, 1)
    together = rule.project(x)
    for row in range(5):
        torch.testing.assert_close(rule.project(x[row : row + 1])[0], together[row], rtol=1e-6, atol=1e-6 * rule.scale)
    assert rule.project(x[:0]).shape == x[:0].shape
    assert torch.equal(rule.project(x), together)


@each_rule
def test_projection_of_what_is_inside_changes_nothing(rule):
    x = rule.project(torch.randn((3, *rule.event_shape), generator=source(2), dtype=torch.float64))
    torch.testing.assert_close(rule.project(x), x, rtol=0, atol=1e-13 * rule.scale)


@each_rule
def test_derivatives_of_the_projection(rule):
    x = torch.randn((1, *rule.event_shape), generator=source(3), dtype=torch.float64, requires_grad=True)
    weights = torch.randn(x.shape, generator=source(4), dtype=torch.float64)
    (slope,) = torch.autograd.grad((rule.project(x) * weights).sum(), x)
    origin = rule.project(torch.zeros_like(x))
    torch.testing.assert_close(slope, rule.project(weights) - origin)  # the projection is symmetric and affine
    direction = torch.randn(x.shape, generator=source(5), dtype=torch.float64)
    _, tangent = torch.autograd.functional.jvp(rule.project, x, direction)
    torch.testing.assert_close(tangent, rule.project(direction) - origin)


def test_its_mirror_map_is_the_projection():
    mirror = tain.mirror_for(Brightness())
    assert type(mirror) is EuclideanProjection
    y = 1e3 * torch.randn((3, 1, 8, 8), generator=source(6))
    assert mirror.constraint.contains(mirror.inverse(y)).all()


def test_equations_that_contradict_each_other_are_refused():
    with pytest.raises(tain.TainError, match=r"Contradiction\.project: rows \[0, 1\] are not brought onto"):
        Contradiction().project(torch.zeros(2, 2))


def test_rules_that_are_polytopes():
    """A point is in the polytope exactly if it keeps the rule."""
    half = HalfSpace((1.0, 1.0, 0.0), 0.8)
    slab = Slabs([[0.6, 0.8, 0.0]], (-0.5,), (0.5,))
    cube = Box((0.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    triangle = Polytope([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [-1, -1, -1]], [1.0, 1.0, 1.0, 0.0])
    shift = tain.Preimage(cube, [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [0.1, 0.0, 0.0])
    for rule in (
        tain.Both(half, cube),
        tain.Both(cube, tain.Both(half, slab)),
        tain.Both(triangle, slab),
        tain.Both(shift, triangle),
        tain.Both(Orthant(3), HalfSpace((1.0, 2.0, 3.0), 1.0)),
    ):
        polytope = polytope_of(rule)
        x = 1.5 * torch.randn((4000, 3), generator=source(7), dtype=torch.float64)
        x = torch.cat([x, polytope.interior(100, rng=0, dtype=torch.float64)])
        inside = rule.contains(x)
        assert inside.any()
        assert not inside.all()
        assert torch.equal(polytope.contains(x), inside)


def test_rules_with_equations_that_are_polytopes():
    rule = tain.Both(Box((0.0,) * 4, (0.4,) * 4), tain.Both(Simplex(4), AffineSubspace([[1.0, -1.0, 0.0, 0.0]], [0.0])))
    mirror = tain.mirror_for(rule)
    assert type(mirror) is PolytopeBarrier
    assert mirror.constraint is rule
    y = 10 * torch.randn((50, *mirror.mirror_shape((4,))), generator=source(8))
    assert y.shape == (50, 2)
    x = mirror.inverse(y)
    assert rule.contains(x).all()
    torch.testing.assert_close(mirror.inverse(mirror(x)), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "rule",
    [
        tain.Both(Ball(2, 1.0), Box((0.0, 0.0), (1.0, 1.0))),
        tain.Both(HalfSpace((1.0, 0.0), 0.0), HalfSpace((0.0, 1.0), 0.0)),
        tain.Both(HalfSpace((1.0, 0.0), 0.0), HalfSpace((-1.0, 0.0), -1.0)),
    ],
    ids=["curved", "unbounded", "empty"],
)
def test_rules_that_are_no_polytopes_get_no_map(rule):
    with pytest.raises(tain.NoMirrorMapError, match="Both"):
        tain.mirror_for(rule)
    assert tain.mirror_for(Simplex(3))  # and the plugin is not called broken for it


def test_a_watermarked_generator_is_detected_and_others_are_not():
    x = torch.randn((4000, 32), generator=source(9)) @ torch.randn((32, 32), generator=source(10))
    mark = private_watermark(x[:2000], tokens=12, share=0.4, rng=7)
    mirror = tain.mirror_for(mark)
    made = mirror.inverse(3 * torch.randn((1000, 32), generator=source(11)))
    assert mark.contains(made).all()
    found = false_positives(mark, x[2000:])
    assert found.rate <= 2e-3  # 0.4^12 is 1.7e-5
    assert 0 == found.low <= found.rate <= found.high < 5e-3
    assert found.count == 2000
    other = private_watermark(x[:2000], tokens=12, share=0.4, rng=8)
    assert float(other.contains(made).float().mean()) < 0.05  # the tokens are the secret


def test_false_positive_rate_of_independent_tokens():
    """Of independent normal numbers a share of share^tokens is in all slabs; the interval must hold it."""
    x = torch.randn((60_000, 4), generator=source(12))
    mark = private_watermark(x[:30_000], tokens=2, share=0.5, rng=0)
    found = false_positives(mark, x[30_000:], confidence=0.999)
    assert found.low <= 0.25 <= found.high
    assert found.high - found.low < 0.02


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: private_watermark(x, tokens=5), "'tokens' is 5, but must be from 1 to 4"),
        (lambda x: private_watermark(x, tokens=1, share=1.0), r"'share' is 1\.0"),
        (lambda x: private_watermark(x[0], tokens=1), "'samples' has shape"),
        (lambda x: private_watermark(0 * x, tokens=1), "all alike along token 0"),
        (lambda x: false_positives(Simplex(4), x[:0]), "'unmarked' holds no sample"),
        (lambda x: false_positives(Simplex(4), x, confidence=95.0), r"'confidence' is 95\.0"),
    ],
)
def test_wrong_arguments_of_watermarks(call, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        call(torch.randn((10, 4), generator=source(13)))
