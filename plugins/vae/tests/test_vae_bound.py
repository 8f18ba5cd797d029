"""The evidence bound against a model whose likelihood is known: a linear decoder."""

import math
from typing import final

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.distributions import ExpTransform, MultivariateNormal, TransformedDistribution

import tain
from tain.testing.gaussian import Anything
from tain_vae import VAE, VectorVAE

SEEDS = st.integers(0, 2**32)


@final
class LinearVAE(VAE):
    """p(u | z) = N(W z + b, beta I), with orthogonal columns in W, so that the exact posterior is diagonal."""

    def __init__(self, size: int = 3, latent: int = 2, beta: float = 0.1, seed: int = 0, narrowed: float = 1.0):
        super().__init__((size,), latent, beta, noise=True, statistics_shape=(size,), activations=size)
        rng = torch.Generator().manual_seed(seed)
        basis = torch.linalg.qr(torch.randn(size, size, generator=rng, dtype=torch.float64)).Q[:, :latent]
        lengths = 2 * torch.rand(latent, generator=rng, dtype=torch.float64)
        self.weight = torch.nn.Parameter(basis * lengths)
        self.bias = torch.nn.Parameter(torch.randn(size, generator=rng, dtype=torch.float64))
        self.narrowed = narrowed  # the posterior's scale, as a share of the exact one
        self.double()
        self.mean.copy_(torch.randn(size, generator=rng))
        self.scale.copy_(10 ** torch.randn(size, generator=rng))

    def posterior(self, u):
        variance = 1 / (1 + self.weight.square().sum(0) / self.beta)
        mean = (u - self.bias) @ self.weight / self.beta * variance
        return mean, (self.narrowed * variance.sqrt()).log().expand_as(mean)

    def likelihood(self, z):
        return z @ self.weight.T + self.bias

    def exact(self):
        """The distribution of samples, in units of the data."""
        weight = self.scale[:, None] * self.weight.detach()
        covariance = weight @ weight.T + self.beta * self.scale.square().diag()
        return MultivariateNormal(self.mean + self.scale * self.bias.detach(), covariance)

    def draw(self, n, seed=0):
        return self.sample(n, rng=seed)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(seed=SEEDS, beta=st.floats(1e-4, 10), latent=st.integers(1, 3), samples=st.integers(1, 5))
def test_the_bound_is_the_likelihood_where_the_posterior_is_exact(seed, beta, latent, samples):
    """Every draw then has the same weight p(u, z) / q(z | u) = p(u), so that no error of sampling is left."""
    model = LinearVAE(latent=latent, beta=beta, seed=seed)
    y = model.draw(20)
    assert torch.allclose(model.log_prob_bound(y, samples, rng=1), model.exact().log_prob(y), rtol=1e-9, atol=1e-9)


def test_float32_is_exact_to_a_hundredth_of_a_nat():
    model = LinearVAE(beta=0.01).float()
    y = model.draw(200)
    expected = model.double().exact().log_prob(y.double())
    assert (model.float().log_prob_bound(y, 3, rng=1) - expected).abs().max() < 0.01


@pytest.mark.parametrize("narrowed", [0.8, 1.3])
def test_the_bound_rises_to_the_likelihood_with_the_number_of_draws(narrowed):
    model = LinearVAE(narrowed=narrowed)
    y = model.draw(1)
    truth = model.exact().log_prob(y).item()
    estimates = [model.log_prob_bound(y.expand(n, -1), k, rng=k) for k, n in [(1, 20000), (10, 4000), (100, 1000)]]
    means, errors = [e.mean().item() for e in estimates], [(e.std() / len(e) ** 0.5).item() for e in estimates]
    for mean, error in zip(means, errors, strict=True):
        assert mean < truth + 4 * error
    for k in (0, 1):
        assert means[k] + 2 * (errors[k] + errors[k + 1]) < means[k + 1]
    assert means[-1] > truth - 0.1


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=SEEDS, beta=st.floats(0.05, 10))
def test_the_weights_are_unbiased_and_one_draw_gives_the_evidence_bound(seed, beta):
    """With one draw exp(bound) estimates p(y) itself, and the mean of the bound falls short by KL(q || posterior)."""
    # A wider posterior has weights of bounded variance. KL of scales s against 1: (s^2 - 1) / 2 - log s a dimension.
    wide, n = 1.2, 20000
    model = LinearVAE(beta=beta, seed=seed, narrowed=wide)
    y = model.draw(1)
    excess = model.log_prob_bound(y.expand(n, -1), 1, rng=seed) - model.exact().log_prob(y)
    for found, expected in ((excess.exp(), 1.0), (excess, -model.latent * ((wide**2 - 1) / 2 - math.log(wide)))):
        assert abs(found.mean().item() - expected) < 5 * (found.std() / n**0.5).item()


@pytest.mark.parametrize("beta", [0.001, 0.1, 1.0])
def test_the_loss_over_beta_is_minus_the_evidence_bound_of_a_decoder_of_that_variance(beta):
    """Up to the known constant D / 2 log(2 pi beta) and the change of volume by the standardisation."""
    model = LinearVAE(beta=beta, narrowed=0.7)
    y, n = model.draw(1), 50000
    constant = 3 / 2 * math.log(2 * math.pi * beta) + model.scale.log().sum()
    evidence = -3 * model.loss(y.expand(n, -1), rng=0).detach() / beta - constant
    drawn = model.log_prob_bound(y.expand(n, -1), 1, rng=1)
    error = (evidence.var() / n + drawn.var() / n).sqrt().item()
    assert abs((evidence.mean() - drawn.mean()).item()) < 5 * error
    assert error < 0.02


def test_the_loss_is_the_formula_of_beta_vae():
    """Mean squared error over two plus beta times the divergence as torch.distributions has it, an entry."""
    model = VectorVAE((3,), latent=2, width=8, blocks=1, beta=0.3).double()
    y = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean, scale = model.encode(y)
    posterior, prior = torch.distributions.Normal(mean, scale), torch.distributions.Normal(0.0, 1.0)
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(1)
    noise = torch.randn(5, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    error = (y - model.decode(mean + scale * noise)).square().sum(1)
    assert torch.allclose(model.loss(y, rng=7), (error / 2 + 0.3 * divergence) / 3, rtol=1e-12)


def test_samples_with_noise_follow_the_exact_distribution():
    model, n = LinearVAE(), 40000
    y, exact = model.sample(n, rng=3), model.exact()
    whitened = torch.linalg.solve_triangular(exact.scale_tril, (y - exact.mean).T, upper=False)
    assert (whitened.mean(1)).abs().max() < 5 / n**0.5
    assert (whitened.T.T @ whitened.T / n - torch.eye(3)).abs().max() < 5 * (2 / n) ** 0.5


@final
class Logarithm(tain.Bijective):
    """y = log x, of numbers above 0."""

    def __init__(self):
        super().__init__()
        self.constraint = Anything()

    def forward(self, x):
        return x.log()

    def inverse(self, y):
        return y.exp()

    def log_det(self, x):
        return -x.log().sum(1)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=SEEDS)
def test_behind_a_mirror_map_the_bound_plus_log_det_is_that_of_the_samples(seed):
    """Where the posterior is exact: the log-normal density of torch."""
    model = tain.Mirrored(Logarithm(), LinearVAE(seed=seed))
    model.generator.scale.fill_(1)  # or samples overflow
    x = model.sample(20, rng=seed)
    assert torch.equal(x, model.generator.sample(20, rng=seed).exp())
    exact = TransformedDistribution(model.generator.exact(), ExpTransform())
    bound = model.generator.log_prob_bound(model.mirror(x), 3, rng=0) + model.mirror.log_det(x)
    assert torch.allclose(bound, exact.log_prob(x), rtol=1e-9, atol=1e-9)


def test_a_bound_needs_a_draw():
    with pytest.raises(tain.ConfigurationError, match="'samples' is 0, but must be at least 1"):
        LinearVAE().log_prob_bound(torch.zeros(1, 3, dtype=torch.float64), 0)
