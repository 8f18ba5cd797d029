"""The maps against torch.distributions, an independent implementation of the same changes of variables."""

import pytest
import torch
from torch import distributions
from torch.autograd.functional import jacobian
from torch.distributions import transforms

from tain_analytic import Box, BoxEntropy, Simplex, SimplexEntropy


@pytest.mark.parametrize("coordinates", ["isometric", "additive"])
@pytest.mark.parametrize("parts", [2, 3, 6])
def test_volume_of_the_simplex_is_that_of_stick_breaking(parts, coordinates):
    """z to x by stick breaking, then x to y by ours: the log-determinants add up to that of z to y."""
    mirror, breaking = SimplexEntropy(Simplex(parts), coordinates), transforms.StickBreakingTransform()
    z = torch.randn((10, parts - 1), generator=torch.Generator().manual_seed(parts), dtype=torch.float64)
    x = breaking(z)
    found = breaking.log_abs_det_jacobian(z, x) + mirror.log_det(x)
    for row, value in zip(z, found, strict=True):
        J = jacobian(lambda u: mirror(breaking(u)[None])[0], row)
        torch.testing.assert_close(value, torch.linalg.slogdet(J).logabsdet)


@pytest.mark.parametrize("coordinates", ["isometric", "additive"])
def test_density_of_the_mirror_image_of_a_dirichlet(coordinates):
    """In two parts the mirror space is a line, on which the density of the image must integrate to one."""
    mirror = SimplexEntropy(Simplex(2), coordinates)
    y = torch.linspace(-60, 60, 100_001, dtype=torch.float64)[:, None]
    x = mirror.inverse(y).clamp(min=1e-300)
    log_density = distributions.Dirichlet(torch.tensor([0.7, 2.5]).double(), validate_args=False).log_prob(x)
    total = torch.trapezoid((log_density - mirror.log_det(x)).exp(), y[:, 0])
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64), rtol=1e-8, atol=0)


def test_additive_coordinates_are_the_softmax_chain():
    mirror = SimplexEntropy(Simplex(5), "additive")
    y = torch.randn((10, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padded = torch.cat([y, torch.zeros(10, 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(mirror.inverse(y), transforms.SoftmaxTransform()(padded))


def test_box_is_the_chain_of_sigmoid_and_affine():
    lower, upper = (0.0, -3.0, 2.0), (1.0, 5.0, 2.5)
    mirror = BoxEntropy(Box(lower, upper))
    a, b = torch.tensor(lower, dtype=torch.float64), torch.tensor(upper, dtype=torch.float64)
    chain = transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(a, b - a)])
    y = 3 * torch.randn((10, 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = chain(y)
    torch.testing.assert_close(mirror.inverse(y), x)
    torch.testing.assert_close(mirror(x), chain.inv(x))
    torch.testing.assert_close(mirror.log_det(x), -chain.log_abs_det_jacobian(y, x).sum(1))


def test_density_of_a_uniform_box_through_the_mirror():
    """The image of uniform numbers under the logit is a logistic distribution."""
    mirror = BoxEntropy(Box((0.0,), (1.0,)))
    y = torch.linspace(-20, 20, 41, dtype=torch.float64)[:, None]
    logistic = distributions.TransformedDistribution(
        distributions.Uniform(torch.zeros(1).double(), torch.ones(1).double()), [transforms.SigmoidTransform().inv]
    )
    torch.testing.assert_close(-mirror.log_det(mirror.inverse(y)), logistic.log_prob(y)[:, 0], rtol=1e-6, atol=1e-6)
