"""The vorticity equation of a forced flow in two dimensions, by a pseudo-spectral method."""

import math

import torch
from torch import Tensor

from tain.errors import ConfigurationError

__all__ = ["VorticitySolver", "regridded"]


def regridded(spectrum: Tensor, grid: int, half: int) -> Tensor:
    """The spectrum of the same field on another grid, from its wavenumbers below `half`.

    Args:
        spectrum: (..., G, G / 2 + 1), from rfft2 of a square.
        grid: points along a side of the other grid, at least 2 half.
        half: which wavenumbers to keep.
    """
    old = spectrum.shape[-2]
    other = spectrum.new_zeros(*spectrum.shape[:-2], grid, grid // 2 + 1)
    other[..., :half, :half] = spectrum[..., :half, :half]
    other[..., grid - half + 1 :, :half] = spectrum[..., old - half + 1 :, :half]
    return other * (grid / old) ** 2


class VorticitySolver:
    """Steps w_t = -div(u w) + viscosity lap w - drag w - m cos(m y) on the square of side 2 pi.

    Wavenumbers below size / 2 are kept; products are taken on a grid half as fine again, where they alias none of those
    (the two-thirds rule). Time goes by the classical Runge-Kutta method of fourth order, with viscosity and drag solved
    exactly by an integrating factor.

    Source: Spectral Methods in MATLAB, program 27, https://doi.org/10.1137/1.9780898719598

    Args:
        size: points along a side of the velocities that it gives, even.
        viscosity, drag: of the equation.
        wavenumber: m, of the force sin(m y) along x.
    """

    def __init__(self, size: int, viscosity: float, drag: float, wavenumber: int) -> None:
        self.size, self.grid = size, 2 * math.ceil(0.75 * size)
        x = torch.fft.rfftfreq(self.grid, 1 / self.grid, dtype=torch.float64)
        y = torch.fft.fftfreq(self.grid, 1 / self.grid, dtype=torch.float64)[:, None]
        square = x**2 + y**2
        self.kept = ((x < size / 2) & (y.abs() < size / 2) & (square > 0)).double()
        inverse = self.kept / square.clamp_min(1)
        self.square = square
        self.to_velocity = torch.stack([1j * y * inverse, -1j * x * inverse])  # u = psi_y, v = -psi_x, lap psi = -w
        self.to_change = torch.stack([(x**2 - y**2) * self.kept, x * y * self.kept])
        self.decay = viscosity * square + drag
        points = 2 * math.pi * torch.arange(self.grid, dtype=torch.float64) / self.grid
        force = -wavenumber * torch.cos(wavenumber * points)[:, None].expand(self.grid, self.grid)
        self.force = torch.fft.rfft2(force)

    def random(self, white: Tensor) -> Tensor:
        """Vortices of wavenumber about 4 with a mean kinetic energy of 1, from white noise (B, grid, grid)."""
        ring = torch.exp(-0.5 * (self.square.sqrt() - 4).square()) * self.kept
        vorticity = torch.fft.rfft2(white) * ring
        energy = 0.5 * self._flow(vorticity).square().sum(1).mean((1, 2), keepdim=True)
        return vorticity / energy.sqrt()

    def velocity(self, vorticity: Tensor) -> Tensor:
        """Components along x and y, (B, 2, size, size), of the spectrum of a vorticity."""
        spectrum = regridded(self.to_velocity * vorticity.unsqueeze(1), self.size, self.size // 2)
        return torch.fft.irfft2(spectrum, s=(self.size, self.size))

    def run(self, vorticity: Tensor, time: float) -> Tensor:
        """The spectrum of the vorticity (B, grid, grid / 2 + 1) after `time`.

        Raises:
            ConfigurationError: the flow became too fast for the step.
        """
        steps = math.ceil(1.45 * time * self.size)  # stable up to a speed |u| + |v| of 8
        step = time / max(steps, 1)
        half = torch.exp(-0.5 * step * self.decay)
        for _ in range(steps):
            a = self._change(vorticity)
            carried = half * vorticity
            b = self._change(carried + (0.5 * step) * half * a)
            c = self._change(carried + (0.5 * step) * b)
            d = self._change(half * (carried + step * c))
            vorticity = half * (carried + (step / 6) * (half * a + 2 * (b + c))) + (step / 6) * d
        self._require_stable(vorticity, step)
        return vorticity

    def _change(self, vorticity: Tensor) -> Tensor:
        """What advection and the force change in a unit of time.

        The curl of div(u u) is (d_xx - d_yy) u v + d_xy (v^2 - u^2): four transforms instead of five.
        """
        u, v = self._flow(vorticity).unbind(1)
        products = torch.fft.rfft2(torch.stack([u * v, (v + u) * (v - u)], dim=1))
        return (self.to_change * products).sum(1) + self.force

    def _flow(self, vorticity: Tensor) -> Tensor:
        """Velocities on the fine grid, (B, 2, grid, grid)."""
        return torch.fft.irfft2(self.to_velocity * vorticity.unsqueeze(1), s=(self.grid, self.grid))

    def _require_stable(self, vorticity: Tensor, step: float) -> None:
        speed = self._flow(vorticity).abs().sum(1).max().item()
        limit = 2.8 / (step * self.size / 2) if step else math.inf
        if not speed <= limit:
            raise ConfigurationError(
                f"VorticitySolver: the flow reached a speed of {speed:.3g}, but the time step allows {limit:.3g}. "
                "Give a larger drag, or a smaller Reynolds number."
            )
