"""A variational autoencoder behind a mirror map, from four shares of a known distribution to samples and densities."""

import numpy as np
import pytest
import torch
from torch.distributions import Dirichlet

import tain
from tain_analytic import Simplex
from tain_lab import Settings, fit
from tain_vae import VectorVAE

TRUTH = Dirichlet(torch.tensor([1.0, 2.0, 4.0, 8.0]))


def shares(n, seed):
    """Rows of `TRUTH`, (n, 4)."""
    return torch.tensor(np.random.default_rng(seed).dirichlet(TRUTH.concentration.tolist(), n), dtype=torch.float32)


def bound(model, x, draws):
    """The bound on the log density of shares: that of their mirror images, by the change of variables."""
    return model.generator.log_prob_bound(model.mirror(x), draws, rng=0) + model.mirror.log_det(x)


@pytest.fixture(scope="module")
def model():
    vae = VectorVAE(event_shape=(3,), latent=3, width=64, beta=0.1)
    model = tain.Mirrored(tain.mirror_for(Simplex(4)), vae)
    fit(model, shares(4000, 0), Settings(steps=800, learning_rate=3e-3, average=0.99), progress=False)
    return model


def test_all_samples_are_inside_and_their_means_are_those_of_the_data(model):
    """Within 0.01: a standard error of 4000 samples is at most 0.002, the rest is the model's."""
    x = model.sample(4000, rng=0)
    assert Simplex(4).contains(x).all()
    assert (x.mean(0) - TRUTH.mean).abs().max() < 0.01
    assert (x.std(0) / TRUTH.stddev - 1).abs().max() < 0.25


def test_a_checkpoint_gives_the_same_samples_and_bounds_to_the_bit(model, tmp_path):
    tain.save(model, tmp_path / "model")
    loaded, x = tain.load(tmp_path / "model"), shares(10, 1)
    assert torch.equal(loaded.sample(100, rng=0), model.sample(100, rng=0))
    assert torch.equal(bound(loaded, x, 4), bound(model, x, 4))


def test_the_bound_of_new_shares_is_below_their_true_log_density_and_near_it(model):
    """The mean over the data of log p - log truth is at most 0 for any density p: minus a divergence."""
    x = shares(2000, 1)
    gaps = {draws: bound(model, x, draws) - TRUTH.log_prob(x) for draws in (1, 64)}
    for gap in gaps.values():
        assert -0.1 < gap.mean() < 4 * gap.std() / len(x) ** 0.5
    assert gaps[64].mean() > gaps[1].mean()
