"""How near the samples of each solver come to a posterior that is known: a normal prior and a linear operator.

    OMP_NUM_THREADS=1 python plugins/dps/studies/gaussian.py

It takes a minute of one thread and writes `gaussian.txt`, which it also prints. The prior has eight independent
numbers, of means from -0.5 to 1.5 and deviations from 0.3 to 2; four random projections of them are measured. There
are 10,000 samples of each solver, in float64:

mean        |mean of the samples - true mean| / |true mean|, Euclidean norms
covariance  the same of the covariances, Frobenius norms
deviation   the samples' deviation by the true one, as a root mean square over the directions that the measurement
            tells most of (the row space of the operator): below 1, samples are surer than they may be
misfit      median of the normalised residual; that of the true posterior is in the line of the noise
seconds     of processor time; the analytic denoiser costs next to nothing, so it counts the solver's own work
"""

import time
from pathlib import Path

import torch
from torch import Tensor

import tain
from tain.testing.gaussian import Gaussian
from tain_dps import DPS, MomentMatching, PosteriorSampler, RandomProjection

ROWS = 10_000
SOLVERS: tuple[PosteriorSampler, ...] = (
    *(DPS(zeta=zeta) for zeta in (0.03, 0.1, 0.3, 1.0)),
    DPS(zeta=0.1, steps=1000),
    *(MomentMatching(steps=steps) for steps in (50, 200)),
    *(MomentMatching(steps=steps, eta=0.0) for steps in (50, 200)),
)


def main() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    lines = ["$ python plugins/dps/studies/gaussian.py"]
    for noise in (0.1, 0.5):
        lines += judged(noise)
    print(*lines, sep="\n")
    Path(__file__).with_name("gaussian.txt").write_text("\n".join(lines) + "\n")


def judged(noise: float) -> list[str]:
    """Lines on all solvers at one deviation of the noise."""
    rng = torch.Generator().manual_seed(3)
    mean, std = torch.linspace(-0.5, 1.5, 8), torch.linspace(0.3, 2.0, 8)
    prior, operator = Gaussian(tuple(mean.tolist()), tuple(std.tolist())), RandomProjection((8,), count=4)
    A = operator.matrix
    measurement = A @ (mean + std * torch.randn(8, generator=rng)) + noise * torch.randn(4, generator=rng)
    covariance = torch.linalg.inv((std**-2).diag() + A.T @ A / noise**2)
    expected = covariance @ (mean / std**2 + A.T @ measurement / noise**2)
    truth = expected + torch.randn(ROWS, 8, generator=rng) @ torch.linalg.cholesky(covariance).T
    fits = ((measurement - operator(truth)) / noise).square().mean(1).sqrt().median()
    lines = [f"noise {noise}: misfit {fits:.2f} of the true posterior"]
    told = torch.linalg.qr(A.T).Q  # (8, 4), an orthonormal basis of what is measured
    for solver in SOLVERS:
        problem = tain.Posterior(measurement.expand(ROWS, 4), operator, noise, prior)
        start = time.process_time()
        solution = solver.solve(problem, rng=0)
        seconds = time.process_time() - start
        x: Tensor = solution.result
        of_mean = (x.mean(0) - expected).norm() / expected.norm()
        of_covariance = (x.T.cov() - covariance).norm() / covariance.norm()
        spread = ((told.T @ x.T.cov() @ told).trace() / (told.T @ covariance @ told).trace()).sqrt()
        lines.append(
            f"  {name(solver):36} mean {of_mean:.3f}  covariance {of_covariance:.3f}  deviation {spread:6.2f}  "
            f"misfit {solution.statistics['misfit'].median():7.2f}  seconds {seconds:5.1f}"
        )
    return lines


def name(solver: PosteriorSampler) -> str:
    """Such as DPS, zeta 0.1, 200 steps."""
    setting = f"zeta {solver.zeta:g}" if isinstance(solver, DPS) else f"eta {solver.eta:g}"
    return f"{type(solver).__name__}, {setting}, {solver.steps} steps:"


if __name__ == "__main__":
    main()
