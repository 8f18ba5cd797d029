"""Checks of Legendre maps: the Hessian of the potential."""

import torch

from tain.mirror_maps import Legendre
from tain.testing.checks import check
from tain.testing.compare import above, at_most, close, rows_of
from tain.testing.derivatives import slope_along
from tain.testing.trials import Trial

__all__: list[str] = []


@check(Legendre)
def hessian_is_symmetric(mirror: Legendre, trial: Trial) -> None:
    """`<v, H w> = <w, H v>` for all directions in the set."""
    x = trial.inside()
    v, w = trial.tangent(x, 1), trial.tangent(x, 2)
    hv, hw = mirror.hessian_vector(x, v), mirror.hessian_vector(x, w)
    size = (mirror.pairing(v, hv) * mirror.pairing(w, hw)).abs().sqrt()
    error = (mirror.pairing(v, hw) - mirror.pairing(w, hv)).abs()
    at_most(error, trial.subject.derivative[trial.dtype] * size.double(), "<v, H w> - <w, H v>")


@check(Legendre)
def hessian_is_positive(mirror: Legendre, trial: Trial) -> None:
    """`<v, H v>` is above 0 for all directions v in the set."""
    x = trial.inside()
    v = trial.tangent(x, 1)
    moves = rows_of(v).abs().amax(1) > 1e-3 * trial.subject.scale
    product = mirror.pairing(v, mirror.hessian_vector(x, v))
    above(torch.where(moves, product, 1.0), 0.0, "<v, H v>")


@check(Legendre)
def hessian_vector_is_the_derivative_of_forward(mirror: Legendre, trial: Trial) -> None:
    """`hessian_vector` is the derivative of `forward` along a direction in the set."""
    x = trial.inside()
    v = trial.tangent(x, 1)
    hv = mirror.hessian_vector(x, v).detach()
    for stream in (2, 3):
        u = torch.randn(hv.shape, generator=trial.rng(stream), dtype=torch.float64).to(trial.dtype)
        expected, size = slope_along(mirror.forward, x, v, u, "forward")
        limit = trial.subject.derivative[trial.dtype] * (size + rows_of(u * hv).abs().sum(1))
        at_most(
            (rows_of(u * hv).sum(1) - expected).abs(), limit, "H v less the derivative of forward, along a direction"
        )


@check(Legendre)
def inverse_hessian_vector_is_the_derivative_of_inverse(mirror: Legendre, trial: Trial) -> None:
    """`inverse_hessian_vector` is the derivative of `inverse`."""
    y = mirror.forward(trial.inside()).detach()
    x, w = mirror.inverse(y).detach(), trial.plain_images(1)
    v = mirror.inverse_hessian_vector(x, w).detach()
    for stream in (2, 3):
        u = trial.normal(tuple(x.shape[1:]), stream)
        expected, size = slope_along(mirror.inverse, y, w, u, "inverse")
        limit = trial.subject.derivative[trial.dtype] * (size + rows_of(u * v).abs().sum(1))
        what = "the inverse Hessian's product less the derivative of inverse, along a direction"
        at_most((rows_of(u * v).sum(1) - expected).abs(), limit, what)


@check(Legendre)
def inverse_hessian_vector_undoes_hessian_vector(mirror: Legendre, trial: Trial) -> None:
    """The inverse Hessian's product undoes the Hessian's."""
    x = trial.inside()
    v = trial.tangent(x, 1)
    returned = mirror.inverse_hessian_vector(x, mirror.hessian_vector(x, v))
    close(
        returned,
        v,
        trial.subject.derivative[trial.dtype],
        "the inverse Hessian's product of H v",
        1e-3 * trial.subject.scale,
    )
