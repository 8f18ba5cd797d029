"""The noise of a measurement: normal, independent of the sample."""

from typing import final

import attrs
import torch
from torch import Tensor

from tain import ConfigurationError, Posterior, ShapeError

__all__ = ["MeasurementNoise"]


@final
@attrs.frozen(eq=False)
class MeasurementNoise:
    """Normal noise of mean zero, of independent entries or of any covariance.

    Attributes:
        std: deviation of each entry, a number or of a shape that broadcasts to M, or None.
        factor: if there is no `std`, the lower Cholesky factor of the covariance, (m, m) for m entries.
    """

    std: Tensor | None
    factor: Tensor | None

    @classmethod
    def of(cls, problem: Posterior, owner: str, like: Tensor) -> "MeasurementNoise":
        """The noise of a problem, in the dtype and on the device of `like`.

        Raises:
            ConfigurationError: both `noise_std` and `covariance` are given, or none; a deviation is not above 0; the
                covariance is not symmetric and positive definite.
            ShapeError: it does not fit the measurement.
        """
        shape = tuple(problem.measurement.shape[1:])
        if (problem.noise_std is None) == (problem.covariance is None):
            given = "neither 'noise_std' nor 'covariance'" if problem.noise_std is None else "both of them"
            raise ConfigurationError(
                f"{owner}: the problem has {given}, but must have one: the noise's standard deviation or covariance."
            )
        if problem.covariance is not None:
            return cls(None, _cholesky(problem.covariance, shape, owner).to(like))
        std = torch.as_tensor(problem.noise_std, dtype=torch.float64)
        if not bool((std.isfinite() & (std > 0)).all()):
            wrong = std.flatten()[~(std.isfinite() & (std > 0)).flatten()][0].item()
            raise ConfigurationError(f"{owner}: 'noise_std' is {wrong:g}, but must be above 0 and finite.")
        try:
            fits = torch.broadcast_shapes(std.shape, shape) == shape
        except RuntimeError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{owner}: 'noise_std' has shape {tuple(std.shape)}, but must be a number, or of the shape {shape} of "
                "one measurement."
            )
        return cls(std.to(like), None)

    def whitened(self, r: Tensor) -> Tensor:
        """Residuals (B, *M) in units of the noise: independent of deviation 1, were they noise alone."""
        if self.factor is None:
            assert self.std is not None
            return r / self.std
        return torch.linalg.solve_triangular(self.factor, r.flatten(1).T, upper=False).T.reshape(r.shape)

    def covariance_times(self, u: Tensor) -> Tensor:
        """Sigma u: (B, *M) to (B, *M)."""
        if self.factor is None:
            assert self.std is not None
            return self.std.square() * u
        return (u.flatten(1) @ self.factor @ self.factor.T).reshape(u.shape)

    @property
    def level(self) -> float:
        """The root of the mean variance of an entry."""
        if self.factor is None:
            assert self.std is not None
            return self.std.square().mean().sqrt().item()
        return (self.factor.square().sum() / len(self.factor)).sqrt().item()

    def misfit(self, r: Tensor) -> Tensor:
        """The root mean square of the whitened residual, (B, *M) to (B,): about 1 for the truth."""
        return self.whitened(r).flatten(1).square().mean(1).sqrt()


def _cholesky(covariance: Tensor, shape: tuple[int, ...], owner: str) -> Tensor:
    size = torch.Size(shape).numel()
    if covariance.shape != (size, size):
        raise ShapeError(
            f"{owner}: 'covariance' has shape {tuple(covariance.shape)}, but must have ({size}, {size}), for the "
            f"{size} entries of one measurement."
        )
    covariance = covariance.double()
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if int(failed) or not torch.allclose(covariance, covariance.T) or not bool(factor.isfinite().all()):
        raise ConfigurationError(f"{owner}: 'covariance' must be symmetric and positive definite, but is not.")
    return factor
