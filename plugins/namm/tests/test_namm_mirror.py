"""The learned map: its loss by hand, finetuning, units, what it refuses, and rules of strangers."""

import math

import pytest
import torch

import tain
from tain.testing import parametrize_checks
from tain.testing.parabola import Parabola
from tain_namm import LAPTOP, PAPER, NeuralMirrorMap, plugin, recipe


class Total(tain.Constraint):
    """Images whose entries add up to 8: a stranger's rule, of which tain-namm knows nothing."""

    event_ndim = 3
    scale = 100.0

    def distance(self, x):
        return (x.flatten(1).sum(1) - 8).abs()


class MeanIsMedian(tain.Constraint):
    """Images whose mean is their median."""

    event_ndim = 3

    def distance(self, x):
        return (x.flatten(1).mean(1) - x.flatten(1).quantile(0.5, dim=1)).abs()


class SmallVariation(tain.Constraint):
    """Images of total variation at most 4."""

    event_ndim = 3

    def distance(self, x):
        return ((x.diff(dim=2).abs().sum((1, 2, 3)) + x.diff(dim=3).abs().sum((1, 2, 3))) - 4).relu()


class Ball(tain.Constraint):
    """Vectors within the unit ball."""

    event_ndim = 1

    def distance(self, x):
        return (x.norm(dim=1) - 1).relu()


def totals(n, shape, rng, dtype):
    x = torch.rand(n, *shape, generator=rng, dtype=torch.float64)
    x += (8 - x.flatten(1).sum(1))[:, None, None, None] / math.prod(shape)
    return x.to(dtype)


def measured():
    mirror = NeuralMirrorMap(Parabola(), (3,), width=8, unrolled_steps=0)
    mirror.measure(Parabola().interior(1000, rng=0))
    return mirror


@parametrize_checks(
    measured(),
    NeuralMirrorMap(Parabola(), (3,), width=8, unrolled_steps=0, forward_map="resnet", variant="released"),
    NeuralMirrorMap(Parabola(), (3,), width=8, residual=False, noise="fixed"),
    profile="quick",
)
def test_kit(subject, check):
    check(subject)


@parametrize_checks(
    NeuralMirrorMap(Parabola(), (3,), width=8),
    NeuralMirrorMap(Parabola(), (3,), width=8, unrolled_steps=2, forward_map="resnet"),
    profile="quick",
    expected_failures={"gradients-agree-with-differences": "those of a step on a curved rule are approximate"},
)
def test_kit_with_steps_on_the_rule(subject, check):
    check(subject)


def data(shape=(1, 8, 8), n=64, seed=0, dtype=torch.float32):
    return totals(n, shape, torch.Generator().manual_seed(seed), dtype)


def perturbed(mirror, seed=1):
    """The map with weights that are none of the first ones."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in mirror.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=rng, dtype=weight.dtype)
    return mirror


FORMS = {
    "default": {},
    "untold": {"unrolled_steps": 0},
    "two steps": {"unrolled_steps": 2},
    "resnet": {"inverse_map": "resnet", "width": 4, "blocks": 2},
    "plain resnet": {"inverse_map": "resnet", "width": 4, "blocks": 1, "residual": False},
    "resnet forwards": {"forward_map": "resnet", "forward_width": 4, "layers": 1},
    "periodic": {"periodic": True},
    "plain unet": {"residual": False},
    "patches": {"patch": 4},
}
EACH = pytest.mark.parametrize("form", FORMS)
VARIANTS = pytest.mark.parametrize("variant", ["paper", "released"])


@EACH
@VARIANTS
def test_rows_are_alone(form, variant):
    mirror = perturbed(NeuralMirrorMap(Total(), (1, 8, 8), variant=variant, **FORMS[form]).double())
    x = data(dtype=torch.float64)[:5]
    other = data(seed=3, dtype=torch.float64)[:5]
    other[2] = x[2]
    for method in (mirror.forward, mirror.inverse):
        assert torch.allclose(method(x)[2:3], method(x[2:3]), rtol=1e-10, atol=1e-10)
        assert torch.allclose(method(x)[2], method(other)[2], rtol=1e-10, atol=1e-10)
        assert method(x[:0]).shape == (0, 1, 8, 8)
    assert torch.allclose(mirror.loss(x, rng=0)[2], mirror.loss(other, rng=0)[2], rtol=1e-9)
    found, expected = (mirror.finetuning_loss(rows, rows, rng=0)[2] for rows in (x, other))
    assert torch.allclose(found, expected, rtol=1e-9)


@EACH
def test_gradients_reach_every_weight(form):
    mirror, x = perturbed(NeuralMirrorMap(Total(), (1, 8, 8), **FORMS[form])), data()
    mirror.prepare(x)
    mirror.loss(x, rng=0).mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in mirror.parameters())
    mirror.zero_grad()
    mirror.finetuning_loss(x, x / 2, rng=0).mean().backward()
    tuned = list(mirror.finetuned())
    assert {id(weight) for weight in tuned} == {id(weight) for weight in mirror.inverse_map.parameters()}
    assert all(weight.grad.abs().sum() > 0 for weight in tuned)
    assert all(weight.grad is None for weight in mirror.forward_map.parameters())


def mean(x):
    return x.abs().mean((1, 2, 3))


def standardised_inverse(mirror):
    return lambda y: mirror.units.standardised(mirror.inverse(y))


@pytest.fixture
def by_hand():
    """A map, and what the terms of its loss are computed from, with noise drawn as the map draws it."""

    def make(**changes):
        changes = {"sigma_max": 0.3, "constraint_weight": 0.7, "regularisation": 0.2, **changes}
        mirror, x = perturbed(NeuralMirrorMap(Total(), (1, 8, 8), **changes).double()), data(dtype=torch.float64)
        mirror.prepare(x)
        rng = torch.Generator().manual_seed(5)
        fixed = changes.get("noise") == "fixed"
        share = 1.0 if fixed else torch.rand(len(x), 1, 1, 1, generator=rng, dtype=torch.float64)
        noise = 0.3 * share * torch.randn(x.shape, generator=rng, dtype=torch.float64)
        u = (x - x.mean()) / x.std(correction=0)
        return mirror, x, u, mirror.forward_map(u), noise

    return make


@pytest.mark.parametrize("noise", ["uniform", "fixed"])
def test_the_loss_of_the_paper(by_hand, noise):
    mirror, x, u, v, z = by_hand(noise=noise)
    f, g = mirror.forward_map, standardised_inverse(mirror)
    distance = ((x.mean() + x.std(correction=0) * g(v + z)).sum((1, 2, 3)) - 8).abs()
    expected = mean(u - g(v)) + mean(v - f(g(v))) + 0.7 * distance + 0.2 * mean(u - v)
    assert torch.allclose(mirror.loss(x, rng=5), expected, rtol=1e-10)


@pytest.mark.parametrize("forward_map", ["icnn", "resnet"])
def test_the_loss_of_the_released_code(by_hand, forward_map):
    mirror, x, u, v, z = by_hand(variant="released", forward_map=forward_map, forward_width=4, layers=1)
    f, g, w = mirror.forward_map, standardised_inverse(mirror), v + z
    change = f.gradient(u) if forward_map == "icnn" else u - v
    cycle = (mean(u - g(v)) + mean(w - f(g(w)))) / 2
    distance = ((x.mean() + x.std(correction=0) * g(w)).sum((1, 2, 3)) - 8).abs()
    assert torch.allclose(mirror.loss(x, rng=5), cycle + 0.7 * distance + 0.2 * mean(change), rtol=1e-10)


@VARIANTS
def test_the_loss_of_finetuning(by_hand, variant):
    mirror, x, u, v, z = by_hand(variant=variant)
    y = v + 0.1
    f, g, w = mirror.forward_map, standardised_inverse(mirror), y + z
    distance = ((x.mean() + x.std(correction=0) * g(w)).sum((1, 2, 3)) - 8).abs()
    paper = mean(u - g(v)) + mean(y - f(g(y)))
    released = (mean(u - g(v)) + mean(w - f(g(w)))) / 2
    expected = (paper if variant == "paper" else released) + 0.7 * distance
    assert torch.allclose(mirror.finetuning_loss(x, y, rng=5), expected, rtol=1e-10)


def test_units():
    """Networks see numbers of deviation 1, whatever the units; the rule sees those of the data."""
    x = data((2, 8, 8)) * torch.tensor([1.0, 1e3])[:, None, None] + 5
    seen = []

    class Sees(tain.Constraint):
        event_ndim = 3

        def distance(self, x):
            seen.append((x.dtype, torch.is_autocast_enabled("cpu"), x.detach().mean((0, 2, 3))))
            return 0 * x.flatten(1).sum(1)

    mirror = NeuralMirrorMap(Sees(), (2, 8, 8))
    mirror.prepare(x)
    u = mirror.forward(x) / mirror.forward_map.slope
    assert u.mean().abs() < 0.05
    assert (u.std((0, 2, 3)) - 1).abs().max() < 0.05
    assert torch.allclose(mirror.inverse(mirror.forward(x)).mean((0, 2, 3)), x.mean((0, 2, 3)), rtol=1e-2)
    seen.clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert mirror.loss(x, rng=0).dtype == torch.float32
    for dtype, autocast, means in seen:
        assert (dtype, autocast) == (torch.float32, False)
        assert torch.allclose(means, x.mean((0, 2, 3)), rtol=0.1)
    bare = NeuralMirrorMap(Sees(), (2, 8, 8), standardised=False)
    bare.prepare(x)
    assert (bare.units.shift.abs().max(), bare.units.scale.max()) == (0, 1)


def test_what_does_not_vary_keeps_its_scale():
    mirror, x = NeuralMirrorMap(Ball(), (2,)), torch.full((10, 2), 0.1)
    mirror.prepare(x)
    assert mirror.units.scale.item() == 1
    assert mirror.inverse(mirror(x)).isfinite().all()


def test_weights_of_the_rule_are_frozen():
    class Counts(tain.Constraint):
        event_ndim = 1

        def __init__(self):
            super().__init__()
            self.network = torch.nn.Linear(2, 1)

        def distance(self, x):
            return (self.network(x)[:, 0] - 8).abs()

    mirror = NeuralMirrorMap(Counts(), (2,))
    assert not any(weight.requires_grad for weight in mirror.constraint.parameters())


def test_weights_follow_from_the_seed_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again, other = (NeuralMirrorMap(Ball(), (2,), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not all(torch.equal(a, c) for a, _, c in pairs)


def test_a_checkpoint_brings_all_back(tmp_path):
    tain.register("constraint", tain.Component("parabola-of-namm", Parabola))
    mirror = perturbed(NeuralMirrorMap(Parabola(), (3,), width=8))
    x = Parabola().interior(20, rng=0)
    mirror.prepare(x)
    mirror.measure(x)
    tain.save(mirror, tmp_path / "model")
    loaded = tain.load(tmp_path / "model")
    assert torch.equal(loaded.inverse(loaded(x)), mirror.inverse(mirror(x)))
    assert loaded.bounds == mirror.bounds
    assert torch.equal(loaded.loss(x, rng=0), mirror.loss(x, rng=0))


class Wrong(tain.Constraint):
    """Distances that nothing can be learned from."""

    event_ndim = 1

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def distance(self, x):
        return {
            "negative": lambda: x.sum(1) - 1e3,
            "shape": lambda: x.abs().sum(),
            "columns": lambda: x.abs(),
            "list": lambda: [1.0] * len(x),
            "infinite": lambda: x.abs().sum(1) / 0,
            "detached": lambda: x.detach().abs().sum(1),
            "elsewhere": lambda: (torch.ones(len(x), requires_grad=True)) * 2,
            "flat": lambda: 1 + (1e9 * x).round().abs().sum(1),
            "slope": lambda: 1 + (x * 0).abs().sum(1).sqrt(),
        }[self.kind]()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("negative", r"Wrong.distance: is -\d+.* for row 0, but must be at least 0"),
        ("shape", r"Wrong.distance: gives \(\) for 4 samples, but must give one number a row, \(4,\)"),
        ("columns", r"gives \(4, 2\) for 4 samples"),
        ("list", r"gives list for 4 samples"),
        ("infinite", r"Wrong.distance: is inf for row 0, but must be finite"),
        ("detached", r"Wrong.distance: has no gradient"),
        ("elsewhere", r"Wrong.distance: has no gradient"),
        ("flat", r"Wrong.distance: has no gradient.*round"),
        ("slope", r"a gradient that is not finite for row 0, of distance 1"),
    ],
)
@pytest.mark.parametrize("finetuning", [False, True])
def test_rules_that_nothing_can_be_learned_from(kind, message, finetuning):
    mirror, x = NeuralMirrorMap(Wrong(kind), (2,)), torch.randn(4, 2)
    before = [weight.clone() for weight in mirror.parameters()]
    with pytest.raises(tain.ConfigurationError, match=message):
        mirror.finetuning_loss(x, x, rng=0) if finetuning else mirror.loss(x, rng=0)
    assert all(map(torch.equal, before, mirror.parameters()))


def test_the_loss_can_be_computed_without_gradients():
    mirror, x = NeuralMirrorMap(Ball(), (2,)), torch.randn(4, 2)
    with torch.no_grad():
        first = mirror.loss(x, rng=0)
    assert torch.equal(mirror.loss(x, rng=0), first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeuralMirrorMap(Total(), (4, 4)), r"'event_shape' is \(4, 4\), but must be \(N,\)"),
        (lambda: NeuralMirrorMap(Total(), (4,)), r"Total is a rule of samples with 3 dimensions"),
        (lambda: NeuralMirrorMap(Parabola(), (4,)), r"'event_shape' is \(4,\), but Parabola .* \(3,\)"),
        (lambda: NeuralMirrorMap(Total(), (1, 6, 8), inverse_map="resnet"), "height and width of at least 8"),
        (lambda: NeuralMirrorMap(Total(), (1, 8, 6), patch=4), r"'patch' is 4, but must divide"),
        (lambda: NeuralMirrorMap(Total(), (1, 8, 8), strong_convexity=1.0), "'strong_convexity' is 1.0"),
        (lambda: NeuralMirrorMap(Total(), (1, 8, 8), noise="none"), "'noise' is"),
        (lambda: NeuralMirrorMap(Total(), (1, 8, 8), unrolled_steps=-1), "'unrolled_steps' is -1"),
        (
            lambda: NeuralMirrorMap(Total(), (1, 8, 8), unrolled_steps=1, residual=False),
            "'unrolled_steps' is 1, but must be 0 with residual=False",
        ),
    ],
)
def test_what_is_not_built(make, message):
    with pytest.raises(tain.ConfigurationError, match=message):
        make()


def test_data_that_break_the_rule_are_refused():
    mirror, x = NeuralMirrorMap(Total(), (1, 8, 8)), data(n=600)
    x[300, 0, 0, 0] += 2
    x[299, 0, 0, 0] += 1
    with pytest.raises(tain.OutsideSetError, match=r"2 of 600 samples .* row 300 by 2, row 299 by 1 "):
        mirror.prepare(x)
    assert mirror.units.scale.item() == 1
    with pytest.raises(tain.DataError, match="0 rows"):
        mirror.prepare(x[:0])
    with pytest.raises(tain.ShapeError, match=r"\(600, 1, 8, 8\) and dtype torch.float64"):
        mirror.prepare(x.double())


def images(rule, n=256):
    """Images of a rule, (n, 1, 8, 8)."""
    x = torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    if isinstance(rule, SmallVariation):
        x *= 3.9 / (4 + rule.distance(x)[:, None, None, None])
    elif isinstance(rule, MeanIsMedian):
        x = torch.cat((x, 1 - x), dim=2)[:, :, 4:12]  # symmetric about one half
        x = torch.cat((x[:, :, :4], 1 - x[:, :, :4]), dim=2)
    else:
        x += (8 - x.sum((1, 2, 3), keepdim=True)) / 64
    return x


def trained(mirror, x, steps, rate):
    """The losses of so many steps."""
    mirror.prepare(x)
    optimizer = torch.optim.Adam(mirror.parameters(), lr=rate)
    rng, losses = torch.Generator().manual_seed(0), []
    for _ in range(steps):
        loss = mirror.loss(x[torch.randint(len(x), (16,), generator=rng)], rng=rng).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("rule", [SmallVariation(), MeanIsMedian(), Total()], ids=lambda rule: type(rule).__name__)
def test_rules_of_strangers_are_trained_on(rule):
    mirror = NeuralMirrorMap(rule, (1, 8, 8), constraint_weight=0.1, residual=False, width=8)
    losses = trained(mirror, images(rule), steps=60, rate=5e-3)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


@pytest.mark.parametrize(("unrolled", "steps", "ratio"), [(0, 200, 0.4), (1, 50, 0.04)])
def test_noisy_images_come_back_nearer_to_the_set(unrolled, steps, ratio):
    """And those of data nearer to where they were than the noise has moved the others."""
    rule, x = Total(), 2 * images(Total())[:, :, :4, :4]
    x += (8 - x.sum((1, 2, 3), keepdim=True)) / 16
    mirror = NeuralMirrorMap(rule, (1, 4, 4), 0.3, layers=1, forward_width=4, unrolled_steps=unrolled)
    trained(mirror, x, steps=steps, rate=5e-3)
    with torch.no_grad():
        noisy = mirror(x) + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
        untouched = mirror.exact_inverse(noisy)
        assert rule.distance(mirror.inverse(noisy)).mean() < ratio * rule.distance(untouched).mean()
        assert (mirror.inverse(mirror(x)) - x).abs().mean() < 0.1 * (untouched - x).abs().mean()


def test_it_is_offered_for_a_shape():
    assert isinstance(tain.mirror_for(Total(), event_shape=(1, 8, 8)), NeuralMirrorMap)
    assert isinstance(tain.mirror_for(Ball(), event_shape=(2,)), NeuralMirrorMap)
    assert tain.mirror_for(Ball(), event_shape=(2,)).event_shape == (2,)
    with pytest.raises(tain.NoMirrorMapError):
        tain.mirror_for(Ball())
    for rule, shape in ((Ball(), None), (Ball(), (2, 2)), (Parabola(), (4,))):
        assert not list(plugin.tain_mirror_for(rule, shape))


def test_recipes():
    figures = {
        "brightness": (0.01, 0.1, 2e-4, (30, 200, 1000, 450)),
        "burgers": (1, 0.1, 2e-4, (100, 300, 700, 1500)),
        "divergence-free": (1, 0.5, 1e-3, (100, 700, 500, 2000)),
        "periodic": (1, 0.1, 2e-4, (50, 300, 1000, 1000)),
        "count": (0.01, 0.1, 2e-4, (50, 300, 700, 1500)),
    }
    for name, (weight, sigma_max, rate, epochs) in figures.items():
        made = recipe(name, PAPER)
        assert (made.mirror["constraint_weight"], made.mirror["sigma_max"]) == (weight, sigma_max)
        assert (made.learning_rate, made.batch, made.beta1) == (rate, 16, 0.5)
        assert epochs == (made.map_epochs, made.generator_epochs, made.finetuning_epochs, made.baseline_epochs)
        assert made.mirror["layers"] == (2 if name == "count" else 3)
    assert recipe("unheard-of") is LAPTOP[""]
    assert recipe(Ball()) is LAPTOP[""]
    assert set(PAPER) == set(LAPTOP)
    for recipes in (PAPER, LAPTOP):
        for made in recipes.values():
            NeuralMirrorMap(Total(), (1, 16, 16), **{**made.mirror, "width": 2})


def test_the_papers_networks_have_its_size():
    mirror = NeuralMirrorMap(Total(), (1, 64, 64), **recipe("burgers", PAPER).mirror)
    assert sum(weight.numel() for weight in mirror.inverse_map.parameters()) == 7_828_865
