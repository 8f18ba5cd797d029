"""Networks that are exact for Gaussian data, to test all but the training."""

import math

import pytest
import torch
from torch import Tensor, nn

from tain_diffusion import VectorDiffusion
from tain_diffusion.schedules import alpha_sigma


@pytest.fixture
def exact():
    """Give a model of vectors the network that is right for z_0 ~ N(0, covariance), in standardised units."""

    def change(model, covariance):
        kind = ExactDiffusion if isinstance(model, VectorDiffusion) else ExactFlow
        model.network = kind(model, covariance)
        return model

    return change


@pytest.fixture
def random_covariance():
    return covariance


def covariance(size: int, seed: int) -> Tensor:
    """A random covariance matrix with eigenvalues from about 0.05 to about 2, in float64."""
    rng = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=rng, dtype=torch.float64) / math.sqrt(size)
    return root @ root.T + 0.05 * torch.eye(size, dtype=torch.float64)


class ExactDiffusion(nn.Module):
    """What a diffusion network should tell of z_0 ~ N(0, covariance)."""

    def __init__(self, model, covariance):
        super().__init__()
        self.limits, self.prediction, self.covariance = model.schedule.limits, model.prediction, covariance

    def forward(self, z, t, condition=None):
        low, high = map(math.log, self.limits)
        alpha, sigma = alpha_sigma(torch.exp(low + (high - low) * t.double()).reshape(-1, 1, 1))
        one = torch.eye(len(self.covariance), dtype=torch.float64)
        of_z_t = alpha**2 * self.covariance + sigma**2 * one
        factor = {
            "velocity": alpha * sigma * (one - self.covariance),
            "noise": sigma * one,
            "clean": alpha * self.covariance,
        }[self.prediction]
        told = torch.linalg.solve(of_z_t, factor, left=False) @ z.double()[..., None]
        return told[..., 0].to(z.dtype)


class ExactFlow(nn.Module):
    """What a flow-matching network should tell of x_0 ~ N(0, covariance), with Gaussian noise."""

    def __init__(self, model, covariance):
        super().__init__()
        self.covariance = covariance

    def forward(self, z, t, condition=None):
        t = t.double().reshape(-1, 1, 1)
        one = torch.eye(len(self.covariance), dtype=torch.float64)
        of_x_t = (1 - t) ** 2 * self.covariance + t**2 * one
        told = torch.linalg.solve(of_x_t, t * one - (1 - t) * self.covariance, left=False) @ z.double()[..., None]
        return told[..., 0].to(z.dtype)
