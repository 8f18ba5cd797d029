"""Combinators of constraints and mirror maps, with parts small enough to be written here."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.func import jacrev, vmap

import tain
from tain import ConfigurationError, MissingCapabilityError, OutsideSetError, ShapeError
from tain.randomness import generator, uniform


class Positive(tain.Projectable, tain.Interior, tain.Retractable):
    """Vectors of positive numbers, `size` of them or any number."""

    event_ndim = 1
    retraction = "Numbers below the margin become the margin."

    def __init__(self, size: int | None = None):
        super().__init__()
        self.event_shape = None if size is None else (size,)

    def distance(self, x):
        return (-x).relu().sum(1)

    def project(self, x):
        return x.relu()

    def retract(self, x, margin=0.0):
        return x.clamp(min=margin)

    def near_boundary(self, x, margin):
        return x < margin

    def interior(self, n, *, rng=None, dtype=None):
        return 0.1 + uniform((n, *self.event_shape), generator(rng), torch.empty((), dtype=dtype))


class Balanced(tain.Residual):
    """Vectors whose sum is given."""

    event_ndim = 1

    def __init__(self, total: float = 0.0):
        super().__init__()
        self.total = total

    def residual(self, x):
        return x.sum(1, keepdim=True) - self.total

    def distance(self, x):
        return self.residual(x).abs()[:, 0]


class Anything(tain.Constraint):
    """Vectors without a rule."""

    event_ndim = 1

    def distance(self, x):
        return 0 * x.sum(1)


class Image(tain.Constraint):
    event_ndim = 3

    def distance(self, x):
        return 0 * x.sum((1, 2, 3))


class Logarithm(tain.Legendre):
    """phi(x) = sum of rate (x log x - x), whose gradient is rate log x."""

    def __init__(self, constraint: tain.Constraint, rate: float = 1.0):
        super().__init__()
        self.constraint, self.rate = constraint, rate

    def forward(self, x):
        self.constraint.require(x)
        return self.rate * x.log()

    def inverse(self, y):
        return (y / self.rate).clamp(-60, 60).exp()

    def potential(self, x):
        return self.rate * (x * x.log() - x).sum(1)

    def conjugate(self, y):
        return self.rate * (y / self.rate).exp().sum(1)

    def log_det(self, x):
        return (self.rate / x).log().sum(1)

    def hessian_vector(self, x, v):
        return self.rate * v / x

    def inverse_hessian_vector(self, x, w):
        return w * x / self.rate


class Cut(tain.MirrorMap):
    """Forgets the last entry, which the balance gives back: no Legendre map."""

    def __init__(self, constraint: Balanced):
        super().__init__()
        self.constraint = constraint

    def forward(self, x):
        return x[:, :-1]

    def inverse(self, y):
        return torch.cat([y, self.constraint.total - y.sum(1, keepdim=True)], 1)

    def mirror_shape(self, event_shape):
        return (event_shape[0] - 1,)

    def primal_shape(self, mirror_shape):
        return (mirror_shape[0] + 1,)


@pytest.fixture(autouse=True)
def names(core_alone):
    tain.register("constraint", tain.Component("positive", Positive))
    tain.register("constraint", tain.Component("balanced", Balanced))
    tain.register("mirror-map", tain.Component("logarithm", Logarithm))
    tain.register("mirror-map", tain.Component("cut", Cut))


MATRIX = ((2.0, 1.0, 0.0), (0.0, -1.5, 0.5), (0.3, 0.0, 1.0))
SHIFT = (0.5, 1.0, -0.25)


def record():
    blocks = tain.Blocks((Positive(2), Positive(1)))
    return tain.BlocksMirror(blocks, tuple(Logarithm(rule, 1.0 + i) for i, rule in enumerate(blocks.constraints)))


def affine():
    return tain.AffineMap(Logarithm(Positive(3)), MATRIX, SHIFT)


class Line(tain.Legendre):
    """phi = |y|^2 / 2 on all vectors."""

    def __init__(self):
        super().__init__()
        self.constraint = Anything()

    def forward(self, x):
        return x

    def inverse(self, y):
        return y

    def potential(self, x):
        return x.square().sum(1) / 2

    def conjugate(self, y):
        return y.square().sum(1) / 2

    def log_det(self, x):
        return 0 * x.sum(1)

    def hessian_vector(self, x, v):
        return v

    def inverse_hessian_vector(self, x, w):
        return w


def chain():
    return tain.Chain(Logarithm(Positive(3)), tain.AffineMap(Line(), MATRIX, SHIFT))


def nested():
    inner = affine()
    blocks = tain.Blocks((inner.constraint, Positive(2)))
    return tain.BlocksMirror(blocks, (inner, Logarithm(blocks.constraints[1])))


LEGENDRE = [record, affine, nested]
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
each_map = pytest.mark.parametrize("build", [*LEGENDRE, chain])
each_legendre = pytest.mark.parametrize("build", LEGENDRE)
property_test = settings(deadline=None, derandomize=True, max_examples=15)
seeds = st.integers(0, 2**31)


def points(mirror, seed, dtype=torch.float64, n=5):
    return mirror.constraint.interior(n, rng=seed, dtype=dtype)


# -- mirror maps ---------------------------------------------------------------------------------------------------


@each_map
@each_dtype
@property_test
@given(seed=seeds)
def test_a_round_trip_ends_where_it_began(build, dtype, seed):
    mirror = build()
    x = points(mirror, seed, dtype)
    y = mirror(x)
    assert y.dtype == x.dtype
    torch.testing.assert_close(mirror.inverse(y), x, rtol=1e-12 if dtype == torch.float64 else 1e-5, atol=1e-5)
    assert mirror.constraint.contains(mirror.inverse(y)).all()
    assert mirror.mirror_shape(tuple(x.shape[1:])) == tuple(y.shape[1:])
    assert mirror.primal_shape(tuple(y.shape[1:])) == tuple(x.shape[1:])


def unchecked(monkeypatch):
    """Under vmap no value can be looked at, so samples cannot be refused."""
    monkeypatch.setattr(tain.Constraint, "require", lambda self, x: None)
    monkeypatch.setattr(tain.Constraint, "require_shape", lambda self, x: None)


@each_map
def test_log_det_is_that_of_the_jacobian(build, monkeypatch):
    mirror = build()
    x = points(mirror, 1)
    given_log_det = mirror.log_det(x)
    unchecked(monkeypatch)
    jacobian = vmap(jacrev(lambda one: mirror.forward(one[None])[0]))(x)
    torch.testing.assert_close(given_log_det, torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-10, atol=1e-10)


@each_legendre
@property_test
@given(seed=seeds)
def test_gradients_of_both_potentials_are_the_maps(build, seed):
    mirror = build()
    x = points(mirror, seed).requires_grad_()
    y = mirror(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(mirror.potential(x).sum(), x)
    torch.testing.assert_close(gradient, y, rtol=1e-9, atol=1e-9)
    (gradient,) = torch.autograd.grad(mirror.conjugate(y).sum(), y)
    torch.testing.assert_close(gradient, x, rtol=1e-9, atol=1e-9)


@each_legendre
@property_test
@given(seed=seeds)
def test_fenchels_equality_and_inequality(build, seed):
    mirror = build()
    x, other = points(mirror, seed), points(mirror, seed + 1)
    gap = mirror.potential(x) + mirror.conjugate(mirror(x)) - mirror.pairing(x, mirror(x))
    torch.testing.assert_close(gap, torch.zeros_like(gap), rtol=0, atol=1e-10)
    assert (mirror.potential(other) + mirror.conjugate(mirror(x)) - mirror.pairing(other, mirror(x)) > 0).all()


@each_legendre
@property_test
@given(seed=seeds)
def test_hessian_products_are_derivatives(build, seed):
    mirror = build()
    x, v = points(mirror, seed), points(mirror, seed + 1)
    _, derivative = torch.autograd.functional.jvp(mirror.forward, x, v)
    product = mirror.hessian_vector(x, v)
    torch.testing.assert_close(product, derivative, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(mirror.inverse_hessian_vector(x, product), v, rtol=1e-9, atol=1e-9)


@each_map
@each_dtype
def test_a_row_is_the_same_alone_and_in_a_batch(build, dtype):
    mirror = build()
    x = points(mirror, 3, dtype, n=6)
    y = mirror(x)
    close = {"rtol": 8 * torch.finfo(dtype).eps, "atol": 8 * torch.finfo(dtype).eps}
    for row in range(6):
        torch.testing.assert_close(mirror(x[row : row + 1]), y[row : row + 1], **close)
        torch.testing.assert_close(mirror.inverse(y[row : row + 1]), mirror.inverse(y)[row : row + 1], **close)
        torch.testing.assert_close(mirror.log_det(x[row : row + 1]), mirror.log_det(x)[row : row + 1], **close)


@each_map
@each_dtype
def test_saved_and_loaded(build, dtype, tmp_path):
    if build is chain:
        tain.register("mirror-map", tain.Component("line", Line))
    mirror = build()
    x = points(mirror, 4, dtype)
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    assert type(loaded) is type(mirror)
    for other in (loaded, copy.deepcopy(mirror)):
        assert torch.equal(other(x), mirror(x))
        assert torch.equal(other.inverse(mirror(x)), mirror.inverse(mirror(x)))


def test_samples_outside_are_refused():
    with pytest.raises(OutsideSetError, match=r"Positive: 1 of 2 samples are outside, the worst row 1 by 0\.5"):
        record()(torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, -0.5]]))
    with pytest.raises(ShapeError, match=r"Blocks: samples have shape \(1, 4\), but must have \(B, 3\)"):
        record()(torch.ones(1, 4))
    with pytest.raises(ShapeError, match=r"mirror images have shape \(1, 4\), but must have \(B, 3\)"):
        record().inverse(torch.ones(1, 4))


def test_a_mirrored_generator_has_a_density_behind_every_bijection():
    class Gaussian(tain.Density):
        event_shape = (3,)

        def loss(self, y, *, rng=None):
            return -self.log_prob(y)

        def sample(self, n, *, rng=None):
            return torch.randn((n, 3), generator=generator(rng))

        def log_prob(self, y):
            return -y.square().sum(1) / 2 - 1.5 * math.log(2 * math.pi)

    for build in (record, affine, chain):
        mirror = build()
        model = tain.Mirrored(mirror, Gaussian())
        x = model.sample(4, rng=0)
        assert mirror.constraint.contains(x).all()
        torch.testing.assert_close(model.log_prob(x), Gaussian().log_prob(mirror(x)) + mirror.log_det(x))
    blocks = tain.Blocks((Positive(2), Balanced()), sizes=(2, 2))
    mixed = tain.BlocksMirror(blocks, (Logarithm(blocks.constraints[0]), Cut(blocks.constraints[1])))
    model = tain.Mirrored(mixed, Gaussian())
    assert model.event_shape == (4,)
    assert blocks.contains(model.sample(9, rng=0), tolerance=1e-5).all()
    assert not tain.supports(mixed, tain.Legendre)
    assert not tain.supports(mixed, tain.Projective)
    with pytest.raises(MissingCapabilityError, match="BlocksMirror is not a bijective mirror map"):
        model.log_prob(model.sample(1, rng=0))
    with pytest.raises(MissingCapabilityError, match=r"BlocksMirror\.log_det: 'mirrors'\[1\], Cut, is not Legendre"):
        mixed.log_det(torch.ones(1, 4))
    with pytest.raises(MissingCapabilityError, match=r"Chain\.log_det: 'first', Cut, is not Bijective"):
        tain.Chain(Cut(Balanced()), Line()).log_det(torch.ones(1, 4))


def test_mirror_maps_that_do_not_fit_are_refused():
    blocks = tain.Blocks((Positive(2), Positive(1)))
    good = Logarithm(blocks.constraints[0])
    with pytest.raises(ConfigurationError, match=r"'mirrors' has 1 entries, but must have one for each of the 2"):
        tain.BlocksMirror(blocks, (good,))
    words = r"'mirrors'\[1\] is a Logarithm of Positive\(size=2\), but block 1 is Positive\(size=1\)"
    with pytest.raises(ConfigurationError, match=words):
        tain.BlocksMirror(blocks, (good, good))
    balanced = Balanced()
    balanced.event_shape = (3,)
    with pytest.raises(ConfigurationError, match=r"'first', Cut, has mirror images of shape \(2,\).*takes .* \(3,\)"):
        tain.Chain(Cut(balanced), affine())
    with pytest.raises(
        ConfigurationError, match=r"AffineMap.of: 'map' is a Logarithm of Positive\(size=2\), but must be"
    ):
        tain.AffineMap.of(good, affine().constraint)
    with pytest.raises(ConfigurationError, match=r"'map', Cut, has mirror images of shape \(2,\) for samples of .*3,"):
        tain.AffineMap(Cut(Balanced()), MATRIX)


@pytest.mark.parametrize(
    ("matrix", "shift", "words"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], None, r"'matrix' is singular, with the condition number .*at most 1e\+06"),
        ([[1.0, 0.0], [0.0, 1e-7]], None, r"'matrix' has the condition number 1e\+07, but it must be at most 1e\+06"),
        ([[0.0, 0.0], [0.0, 0.0]], None, "'matrix' is singular"),
        ([[1.0, 0.0]], None, "'matrix' has 1 rows of 2 numbers, but must be square"),
        (torch.ones(2, 3), None, r"'matrix' has shape \(2, 3\)"),
        ([[1.0, math.inf], [0.0, 1.0]], None, r"'matrix'\[0, 1\] is inf, not finite"),
        ([[1.0, 0.0], [0.0, 1.0]], [1.0], r"'shift' has shape \(1,\), but must be \(2,\)"),
        (
            [[1.0]],
            None,
            r"'matrix' has 1 rows, but 'constraint', Positive\(size=2\), is a rule of samples of shape \(2,",
        ),
    ],
)
def test_a_bad_change_of_variables_is_refused(matrix, shift, words):
    with pytest.raises(ConfigurationError, match=words):
        tain.AffineMap(Logarithm(Positive(2)), matrix, shift)


# -- constraints ---------------------------------------------------------------------------------------------------


def test_blocks_do_everything_block_by_block():
    blocks = tain.Blocks((Positive(2), Positive()), sizes=(2, 1))
    assert blocks.event_shape == (3,)
    x = torch.tensor([[1.0, -0.5, 2.0], [0.25, 1.0, -2.0]])
    assert blocks.distances(x).tolist() == [[0.5, 0.0], [0.0, 2.0]]
    assert blocks.distance(x).tolist() == [0.5, 2.0]
    assert blocks.project(x).tolist() == [[1.0, 0.0, 2.0], [0.25, 1.0, 0.0]]
    assert blocks.retract(x, (0.5, 0.0)).tolist() == [[1.0, 0.5, 2.0], [0.5, 1.0, 0.0]]
    assert blocks.near_boundary(x, (0.5, 0.0)).tolist() == [[False, True, False], [True, False, True]]
    assert blocks.near_boundary(x, 3.0).all()
    assert blocks.tolerance(torch.float32) == 2 * Positive().tolerance(torch.float32)
    assert blocks.retraction.startswith("Columns 1 to 2: Numbers below")
    assert repr(blocks) == "Blocks(Positive(size=2), Positive(size=None))"
    with pytest.raises(ConfigurationError, match=r"'margin' has 3 entries, but must be one number, or one for .* 2"):
        blocks.retract(x, (0.0, 0.0, 0.0))


def test_blocks_can_do_what_all_blocks_can():
    blocks = tain.Blocks((Positive(2), Balanced()), sizes=(2, 2))
    assert isinstance(blocks, tain.Projectable)
    x = torch.ones(1, 4)
    for capability, call in [
        (tain.Projectable, lambda: blocks.project(x)),
        (tain.Retractable, lambda: blocks.retract(x)),
        (tain.Retractable, lambda: blocks.near_boundary(x, 0.1)),
        (tain.Interior, lambda: blocks.interior(1)),
    ]:
        assert not tain.supports(blocks, capability)
        with pytest.raises(
            MissingCapabilityError, match=rf"'constraints'\[1\], Balanced, is not {capability.__name__}"
        ):
            call()
    assert not tain.supports(blocks, tain.Residual)
    equations = tain.Blocks((Balanced(1.0), Balanced(2.0)), sizes=(2, 1))
    assert tain.supports(equations, tain.Residual)
    assert equations.residual(torch.tensor([[1.0, 1.0, 2.0]])).tolist() == [[1.0, 0.0]]
    assert tain.supports(tain.Blocks((Positive(2), tain.Blocks((Positive(1),)))), tain.Interior)


@pytest.mark.parametrize(
    ("rules", "sizes", "words"),
    [
        ((), None, "'constraints' is empty"),
        ((Positive(2), Balanced()), None, r"'constraints'\[1\], Balanced, fits any number of columns\. Give 'sizes'"),
        ((Positive(2), Balanced()), (2,), "'sizes' has 1 entries, but must have one for each of the 2 rules"),
        ((Positive(2),), (3,), r"'sizes'\[0\] is 3, but 'constraints'\[0\], Positive, has 2 columns"),
        ((Positive(2),), (0,), r"'sizes'\[0\] is 0, but must be at least 1"),
        ((Image(),), (3,), r"'constraints'\[0\], Image, is a rule of 3 dimensions, but must be of 1"),
        ((3,), None, r"'constraints'\[0\] is 3 \(int\), but must be a Constraint"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(rules, sizes, words):
    with pytest.raises(ConfigurationError, match=words):
        tain.Blocks(rules, sizes)


def test_blocks_from_tables_as_in_a_file():
    parts = [{"name": "positive", "size": 2}, {"name": "balanced", "total": 1}]
    blocks = tain.create("constraint", "blocks", constraints=parts, sizes=[2, 1])
    assert [type(rule) for rule in blocks.constraints] == [Positive, Balanced]
    with pytest.raises(ConfigurationError, match=r"'balanced': unknown key 'totl'. Did you mean: total"):
        tain.create("constraint", "blocks", constraints=[{"name": "balanced", "totl": 1}], sizes=[1])


def test_both_rules_at_once(tmp_path):
    shares = tain.Both(Positive(2), Balanced(1.0))
    x = torch.tensor([[0.5, 0.5], [1.5, -0.5], [0.5, 0.25], [-3.0, 1.0]])
    assert shares.distance(x).tolist() == [0.0, 0.5, 0.25, 3.0]
    assert shares.contains(x).tolist() == [True, False, False, False]
    assert shares.event_shape == (2,)
    assert not tain.supports(shares, tain.Residual)
    with pytest.raises(MissingCapabilityError, match=r"Both\.residual: 'a', Positive, is not Residual"):
        shares.residual(x)
    point = tain.Both(Balanced(1.0), tain.Both(Balanced(2.0), Balanced(3.0)))
    assert point.residual(x[:1]).tolist() == [[0.0, -1.0, -2.0]]
    with pytest.raises(ConfigurationError, match="'a', Positive, is a rule of 1 dimensions, but 'b', Image, of 3"):
        tain.Both(Positive(), Image())
    with pytest.raises(ConfigurationError, match=r"shape \(2,\), but 'b', Positive, of shape \(3,\)"):
        tain.Both(Positive(2), Positive(3))
    tain.save(shares, tmp_path / "shares")
    assert torch.equal(tain.load(tmp_path / "shares").distance(x), shares.distance(x))


@each_dtype
def test_a_preimage_holds_what_the_rule_holds(dtype):
    rule = tain.Preimage(Positive(3), MATRIX, SHIFT)
    u = rule.interior(20, rng=0, dtype=dtype)
    assert rule.contains(u).all()
    assert (rule.distance(u) == 0).all()
    assert Positive(3).contains(rule.image(u)).all()
    edge = rule.of_image(torch.zeros(1, 3, dtype=dtype))
    assert rule.contains(edge, tolerance=0.0).all()
    out = rule.of_image(torch.full((1, 3), -0.5, dtype=dtype))
    torch.testing.assert_close(rule.distance(out), torch.full((1,), 1.5, dtype=dtype), rtol=1e-4, atol=0)
    assert not rule.contains(torch.full((1, 3), -1e30, dtype=dtype)).any()
    assert tain.Preimage(Balanced(1.0), MATRIX).residual(torch.ones(1, 3)).item() == pytest.approx(2.3)
    assert not tain.supports(rule, tain.Residual)


# -- what finds them -----------------------------------------------------------------------------------------------


def test_mirror_for_builds_them_from_what_the_parts_are_offered(site):
    site.add(
        "tain-log",
        """
        import sys, tain

        @tain.hookimpl
        def tain_mirror_for(constraint):
            if type(constraint).__name__ == "Positive":
                yield sys.modules["combinators"].Logarithm(constraint)
        """,
    )
    import sys

    module = type(sys)("combinators")
    module.Logarithm = Logarithm
    sys.modules["combinators"] = module
    try:
        blocks = tain.Blocks((Positive(2), tain.Preimage(Positive(2), [[1.0, 0.0], [-1.0, 1.0]])))
        mirror = tain.mirror_for(blocks)
        assert isinstance(mirror, tain.BlocksMirror)
        assert [type(part) for part in mirror.mirrors] == [Logarithm, tain.AffineMap]
        assert tain.supports(mirror, tain.Legendre)
        with pytest.raises(tain.NoMirrorMapError, match=r"offers a mirror map for Balanced"):
            tain.mirror_for(tain.Blocks((Positive(2), Balanced()), sizes=(2, 2)))
        assert all(plugin.status == "loaded" for plugin in tain.host().plugins)
    finally:
        del sys.modules["combinators"]
