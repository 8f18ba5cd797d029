"""Checks of bijective and Legendre maps: potential, conjugate and change of volume."""

import math

import torch
from torch import Tensor

from tain.mirror_maps import Bijective, Legendre
from tain.testing.checks import check
from tain.testing.compare import at_most, close, rows_of
from tain.testing.derivatives import gradient
from tain.testing.outcome import NotApplicable
from tain.testing.points import inside
from tain.testing.trials import Trial

__all__: list[str] = []

_MOST_ENTRIES = 64  # of a mirror image, whose whole Jacobian is taken


@check(Legendre)
def forward_is_the_gradient_of_the_potential(mirror: Legendre, trial: Trial) -> None:
    """`forward` is the gradient of the potential, along all directions in the set."""
    x = trial.inside()
    slope, y = gradient(mirror.potential, x, "potential"), mirror.forward(x).detach()
    for stream in (1, 2):
        v = trial.tangent(x, stream)
        terms = rows_of(slope * v)
        limit = trial.subject.derivative[trial.dtype] * (terms.abs().sum(1) + _tiny(trial))
        at_most(
            (mirror.pairing(v, y) - terms.sum(1)).abs(), limit, "<v, forward(x)> less the potential's slope along v"
        )


@check(Legendre)
def inverse_is_the_gradient_of_the_conjugate(mirror: Legendre, trial: Trial) -> None:
    """`inverse` is the gradient of the conjugate."""
    y = mirror.forward(trial.inside()).detach() + 0.1 * trial.plain_images(3)
    slope, x = gradient(mirror.conjugate, y, "conjugate"), mirror.inverse(y).detach()
    for stream in (1, 2):
        w = trial.plain_images(stream)
        terms = rows_of(slope * w)
        limit = trial.subject.derivative[trial.dtype] * (terms.abs().sum(1) + _tiny(trial))
        at_most(
            (mirror.pairing(x, w) - terms.sum(1)).abs(), limit, "<inverse(y), w> less the conjugate's slope along w"
        )


@check(Legendre)
def fenchel_equality(mirror: Legendre, trial: Trial) -> None:
    """`potential(x) + conjugate(y) = <x, y>` where y = forward(x)."""
    x = trial.inside()
    y = mirror.forward(x).detach()
    gap = mirror.potential(x) + mirror.conjugate(y) - mirror.pairing(x, y)
    at_most(gap.abs(), 200 * trial.rounding * _size(mirror, x, y), "potential(x) + conjugate(y) - <x, y>")


@check(Legendre)
def fenchel_inequality(mirror: Legendre, trial: Trial) -> None:
    """potential(x) + conjugate(z) is at least `<x, z>`, for every x and z."""
    x, z = trial.inside(), mirror.forward(trial.inside(1)).detach()
    gap = mirror.potential(x) + mirror.conjugate(z) - mirror.pairing(x, z)
    at_most(-gap, 200 * trial.rounding * _size(mirror, x, z), "<x, z> - potential(x) - conjugate(z)")


@check(Legendre)
def monotone(mirror: Legendre, trial: Trial) -> None:
    """`<x - z, forward(x) - forward(z)>` is at least 0."""
    x, z = trial.inside(), trial.inside(1)
    image, other = mirror.forward(x).detach(), mirror.forward(z).detach()
    size = (1 + rows_of(x).norm(dim=1) + rows_of(z).norm(dim=1)) * (
        1 + rows_of(image).norm(dim=1) + rows_of(other).norm(dim=1)
    )
    product = mirror.pairing(x - z, image - other)
    at_most(-product, 200 * trial.rounding * size, "-<x - z, forward(x) - forward(z)>")


@check(Bijective)
def log_det_is_that_of_the_jacobian(mirror: Bijective, trial: Trial) -> None:
    """`log_det` is the log-determinant of the Jacobian of `forward`, in the leading coordinates of x.

    Where leading coordinates do not fix a point (those of a symmetric matrix), any others may be meant: then `log_det`
    must be that of the volume up to a constant.
    """
    x = inside(trial.subject, 3, trial.rng(), trial.dtype).detach()
    y = mirror.forward(x).detach()
    entries, precision = math.prod(y.shape[1:]), trial.subject.derivative[trial.dtype]
    if entries > _MOST_ENTRIES:
        raise NotApplicable(f"mirror images have {entries} entries, and the check takes at most {_MOST_ENTRIES}")
    found = mirror.log_det(mirror.inverse(y).detach()).double()
    jacobians = torch.stack([_jacobian(mirror, row) for row in y])
    leading = jacobians[:, :entries]
    if (torch.linalg.matrix_rank(leading, rtol=trial.rounding**0.5) == entries).all():
        expected = -torch.linalg.slogdet(leading).logabsdet
    else:
        expected = -torch.linalg.slogdet(jacobians.mT @ jacobians).logabsdet / 2
        expected = expected + (found - expected).mean()
    close(found, expected, precision, "log_det", scale=1.0 + entries)


def _jacobian(mirror: Bijective, y: Tensor) -> Tensor:
    """The Jacobian of `inverse` at one image, (numbers of a sample, numbers of an image)."""
    jacobian = torch.autograd.functional.jacobian(lambda image: mirror.inverse(image[None]).flatten(), y)
    return jacobian.reshape(-1, y.numel()).double()


def _size(mirror: Legendre, x: Tensor, y: Tensor) -> Tensor:
    """The size of the terms of Fenchel's equality, whose rounding errors it cannot be better than."""
    terms = torch.stack([mirror.potential(x), mirror.conjugate(y), mirror.pairing(x, y)]).detach().double()
    return 1 + terms.abs().amax(0) + rows_of(x).norm(dim=1) * rows_of(y).norm(dim=1)


def _tiny(trial: Trial) -> float:
    """Below it, a slope is lost in the rounding of the terms that it is made of."""
    return 1e-3 * trial.subject.scale
