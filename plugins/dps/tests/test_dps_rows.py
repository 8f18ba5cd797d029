"""Each sample is on its own; seeds; parts; random state; what is told of samples that go wrong."""

import re

import pytest
import torch
from hypothesis import given, settings, strategies as st

import tain
from tain.testing.gaussian import Anything, Gaussian, Identity
from tain_dps import CGDPS, DPS, MirrorDPS, MomentMatching
from tain_dps.likelihood import Likelihood
from tain_dps.linearisation import Linearisation

SOLVERS = {
    "dps": DPS(zeta=0.2, steps=20),
    "cg-dps": CGDPS(weight=3.0, zeta=0.2, steps=20),
    "mirror-dps": MirrorDPS(zeta=0.2, steps=20, eta=0.5),
    "moment-matching": MomentMatching(steps=20, iterations=3),
    "moment-matching, no noise": MomentMatching(steps=20, eta=0.0),
}
EACH = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)


class Sum(tain.Constraint):
    """Vectors that add up to one."""

    event_ndim = 1

    def distance(self, x):
        return (x.sum(1) - 1).abs()


class Cubed(tain.MirrorMap):
    """A curved map that treats every entry, so every row, alike."""

    def __init__(self):
        super().__init__()
        self.constraint = Anything()

    def forward(self, x):
        return x

    def inverse(self, y):
        return y + y / (1 + y.square())


def curved(x):
    """A curved operator of three numbers, without products of matrices, whose rounding may change with the rows."""
    return torch.stack((x[:, 0] * x[:, 1], x[:, 2].sin() + x[:, 0]), 1)


def problem(solver, measurement, noise_std=0.2):
    prior = Gaussian((0.5, -0.5, 0.0), (1.0, 2.0, 0.5)).double()
    if isinstance(solver, MirrorDPS | MomentMatching):
        prior = tain.Mirrored(Cubed(), prior)
    return tain.Posterior(measurement, curved, noise_std, prior, Sum())


def noises(rows, seed, count=21):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, rows, 3, generator=rng, dtype=torch.float64)


def solved(solver, measurement, noise):
    """With the noise of each draw given, (draws, B, 3)."""
    draws = iter(noise)
    return solver.solve_with(problem(solver, measurement), lambda shape, like: next(draws))


def measurements(rows, seed):
    return torch.randn(rows, 2, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(name=st.sampled_from(sorted(SOLVERS)), rows=st.integers(1, 7), seed=st.integers(0, 999))
def test_rows_permuted_with_their_noise_permute_the_samples_bit_by_bit(name, rows, seed):
    solver, m, noise = SOLVERS[name], measurements(rows, seed), noises(rows, seed)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    whole, permuted = solved(solver, m, noise), solved(solver, m[order], noise[:, order])
    assert torch.equal(permuted.result, whole.result[order])
    for key in ("misfit", "constraint_distance"):
        assert torch.equal(permuted.statistics[key], whole.statistics[key][order])


@settings(deadline=None, derandomize=True, max_examples=25)
@given(name=st.sampled_from(sorted(SOLVERS)), rows=st.integers(2, 7), row=st.integers(0, 6), seed=st.integers(0, 999))
def test_a_row_alone_is_as_in_a_batch_bit_by_bit(name, rows, row, seed):
    solver, m, noise = SOLVERS[name], measurements(rows, seed), noises(rows, seed)
    part = slice(row % rows, row % rows + 1)
    assert torch.equal(solved(solver, m[part], noise[:, part]).result, solved(solver, m, noise).result[part])


@EACH
def test_a_row_that_goes_wrong_leaves_the_others_alone_and_is_told(solver):
    m, noise = measurements(5, 0), noises(5, 0)
    good = solved(solver, m, noise)
    noise[0, 2] = 1e200  # its square is no number any more
    bad = solved(solver, m, noise)
    rest = torch.tensor([0, 1, 3, 4])
    assert torch.equal(bad.result[rest], good.result[rest])
    assert len(bad.result) == 5
    assert bad.statistics["diverged"] + bad.statistics["not_finite"] >= 1
    assert re.search(r"rows (\d+, )*2\b", bad.message)


def test_diverged_samples_are_returned_counted_and_told_with_a_remedy():
    solution = DPS(zeta=1e3, steps=20).solve(problem(SOLVERS["dps"], measurements(30, 0), 0.01), rng=0)
    assert solution.result.shape == (30, 3)
    assert solution.statistics["diverged"] + solution.statistics["not_finite"] == 30
    assert "and 20 more. Lower 'zeta'." in solution.message


@EACH
@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_parts_do_not_change_results(solver, rows_at_once):
    settings = {**tain.configuration(solver), "rows_at_once": rows_at_once}
    m = measurements(10, 0)
    whole, parts = (s.solve(problem(s, m), rng=0) for s in (solver, type(solver)(**settings)))
    assert torch.equal(parts.result, whole.result)
    assert torch.equal(parts.statistics["misfit"], whole.statistics["misfit"])


def test_by_default_parts_bound_what_is_stored_for_gradients(monkeypatch):
    seen, m = [], measurements(10, 0)

    def operator(x):
        seen.append(len(x))
        return curved(x)

    given = tain.Posterior(m, operator, 0.2, Gaussian((0.5, -0.5, 0.0), (1.0, 2.0, 0.5)).double())
    row = Likelihood.of(given, "").try_out("")
    assert 100 < row < 1000  # a few times three numbers of eight bytes
    whole = DPS(steps=20).solve(given, rng=0).result
    for count in (3, 1):
        monkeypatch.setattr("tain_dps.sampler._BYTES", count * row)
        seen.clear()
        assert torch.equal(DPS(steps=20).solve(given, rng=0).result, whole)
        assert max(seen[2:]) == count  # after those of the trial


@EACH
def test_seeds_and_the_global_random_state(solver):
    m, state = measurements(4, 0), torch.get_rng_state()
    first, again, other = (solver.solve(problem(solver, m), rng=seed).result for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    source = torch.Generator().manual_seed(3)
    assert torch.equal(solver.solve(problem(solver, m), rng=source).result, first)


@EACH
def test_progress_is_told(solver):
    calls = []
    solver.solve(problem(solver, measurements(4, 0)), rng=0, callback=calls.append)
    assert [(call["step"], call["total"]) for call in calls] == [(k, 20) for k in range(1, 21)]
    assert all(call["misfit"] > 0 for call in calls)


@EACH
def test_weights_get_no_gradients_and_inference_mode_is_no_obstacle(solver):
    given = problem(solver, measurements(4, 0))
    expected = solver.solve(given, rng=0).result
    assert not expected.requires_grad
    assert all(weight.grad is None for weight in given.prior.parameters())
    with torch.inference_mode():
        assert torch.equal(solver.solve(given, rng=0).result, expected)


def test_statistics_are_those_of_the_samples():
    m = measurements(6, 0)
    given = problem(SOLVERS["dps"], m, noise_std=torch.tensor([0.1, 0.4]))
    solution = SOLVERS["dps"].solve(given, rng=0)
    whitened = (m - curved(solution.result)) / torch.tensor([0.1, 0.4], dtype=torch.float64)
    assert torch.allclose(solution.statistics["misfit"], whitened.square().mean(1).sqrt(), rtol=1e-6)
    assert torch.equal(solution.statistics["constraint_distance"], (solution.result.sum(1) - 1).abs())


@pytest.mark.parametrize("solver", [MirrorDPS(steps=8), MomentMatching(steps=8, iterations=2)])
def test_a_network_in_a_mirror_space(solver):
    """Products of matrices may round otherwise with other rows: equal up to that."""
    analytic, diffusion = pytest.importorskip("tain_analytic"), pytest.importorskip("tain_diffusion")
    model = diffusion.VectorDiffusion((3,), width=16, blocks=1).double()
    prior = tain.Mirrored(analytic.SimplexEntropy(analytic.Simplex(4)), model)
    m = torch.tensor([[0.5], [0.2], [0.1]], dtype=torch.float64)
    draws = noises(3, 0)
    samples = []
    for part in (slice(0, 3), slice(1, 2)):
        noise = iter(draws[:, part])
        given = tain.Posterior(m[part], lambda x: x[:, :1], 0.05, prior)
        samples.append(solver.solve_with(given, lambda shape, like, noise=noise: next(noise)).result)
    assert torch.allclose(samples[0][1:2], samples[1], rtol=1e-9, atol=1e-9)
    assert prior.mirror.constraint.contains(samples[0]).all()
    assert all(weight.grad is None for weight in model.parameters())


def test_products_with_a_derivative():
    def function(y):
        return torch.stack((y[:, 0] * y[:, 1], y[:, 1].exp()), 1)

    y, z, u = measurements(5, 0), measurements(5, 1), measurements(5, 2)
    tangent = Linearisation(function, y, torch.ones(2, dtype=torch.float64))
    expected = torch.stack((y[:, 1] * z[:, 0] + y[:, 0] * z[:, 1], y[:, 1].exp() * z[:, 1]), 1)
    assert torch.allclose(tangent.times(z), expected)
    assert torch.allclose(tangent._difference(z), expected, rtol=1e-6, atol=1e-8)
    assert torch.allclose((tangent.transposed_times(u) * z).sum(1), (u * expected).sum(1))


def test_mirrored_by_the_identity_is_plain():
    m, prior = measurements(5, 0), Gaussian((0.5, -0.5, 0.0), (1.0, 2.0, 0.5)).double()
    plain = DPS(steps=20).solve(tain.Posterior(m, curved, 0.2, prior), rng=0).result
    for mirrored in (
        prior,
        tain.Mirrored(Identity(), prior),
        tain.Mirrored(Identity(), tain.Mirrored(Identity(), prior)),
    ):
        assert torch.equal(MirrorDPS(steps=20).solve(tain.Posterior(m, curved, 0.2, mirrored), rng=0).result, plain)
