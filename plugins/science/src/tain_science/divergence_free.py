"""Flows in two dimensions without sources or sinks, and the nearest such flow to any other."""

import math
from typing import Annotated, Literal, final

import torch
from torch import Tensor

from tain import Field, Projectable, Residual, ShapeError

__all__ = ["DivergenceFree"]

Stencil = Literal["central", "staggered", "spectral"]


@final
class DivergenceFree(Projectable, Residual):
    """Snapshots of a periodic flow whose discrete divergence is zero.

        distance(x) = mean over snapshots and pixels of |D_x u + D_y v|

    Samples have shape (B, 2 K, H, W), of any height and width: channel 2 k is the component u along x (across) of
    snapshot k, channel 2 k + 1 its component v along y (down). Differences are taken per pixel, not per unit of length:

    `central`: (D_x u)_j = (u_j+1 - u_j-1) / 2, for velocities at the middle of each pixel.
    `staggered`: (D_x u)_j = u_j - u_j-1, for velocities on the faces between pixels (staggered grids).
    `spectral`: D_x multiplies each Fourier mode by i times its wavenumber, that of half the sampling rate by 0.

    `project` is the discrete Leray projection for the very stencil, so that its results have that divergence zero up to
    rounding. Where the stencil does not see a mode, as the central one does not see a checkerboard, it stays as it is.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, https://arxiv.org/abs/2406.12816
    (appendix F)

    Args:
        stencil: of the differences.
        scale: size of the velocities; rounding errors of numbers as large are no breach of the rule.

    Example:
        >>> import torch
        >>> from tain_science import DivergenceFree
        >>> rule, flow = DivergenceFree(), torch.randn(2, 6, 32, 48, generator=torch.Generator().manual_seed(0))
        >>> rule.contains(flow), rule.contains(rule.project(flow))
        (tensor([False, False]), tensor([True, True]))
    """

    event_ndim = 3

    def __init__(
        self,
        stencil: Annotated[Stencil, Field("how differences are taken")] = "central",
        scale: Annotated[float, Field("size of the velocities", above=0, below=math.inf)] = 1.0,
    ):
        super().__init__()
        self.stencil, self.scale = stencil, scale

    def distance(self, x: Tensor) -> Tensor:
        """The mean size of the divergence: (B, 2 K, H, W) to (B,)."""
        return self.residual(x).abs().mean(1)

    def residual(self, x: Tensor) -> Tensor:
        """The divergence at each pixel: (B, 2 K, H, W) to (B, K H W).

        Raises:
            ShapeError: an odd number of channels.
        """
        u, v = self._components(x)
        if self.stencil == "central":
            divergence = (u.roll(-1, -1) - u.roll(1, -1) + v.roll(-1, -2) - v.roll(1, -2)) / 2
        elif self.stencil == "staggered":
            divergence = u - u.roll(1, -1) + v - v.roll(1, -2)
        else:
            divergence = _field(self._modes(u, v), u)
        return divergence.flatten(1)

    def project(self, x: Tensor) -> Tensor:
        """The nearest flow without divergence, x - D' (D D')^+ D x: (B, 2 K, H, W) to (B, 2 K, H, W)."""
        u, v = self._components(x)
        across, down = self._symbols(u)
        strength = across.abs().square() + down.abs().square()
        pressure = self._modes(u, v) / torch.where(strength > 0, strength, torch.inf)
        gradient = [_field(symbol.conj() * pressure, u) for symbol in (across, down)]
        return x - torch.stack(gradient, 2).flatten(1, 2)

    def _components(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.require_shape(x)
        if x.shape[1] % 2 or 0 in x.shape[1:]:
            raise ShapeError(
                f"DivergenceFree: samples have shape {tuple(x.shape)}, but must have (B, 2 K, H, W), two channels "
                "for each snapshot."
            )
        return x[:, 0::2], x[:, 1::2]

    def _modes(self, u: Tensor, v: Tensor) -> Tensor:
        """The Fourier modes of the divergence: (B, K, H, W) to (B, K, H, W // 2 + 1)."""
        across, down = self._symbols(u)
        return across * _transform(u) + down * _transform(v)

    def _symbols(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """What the differences along x and y multiply each Fourier mode by: (1, W // 2 + 1) and (H, 1)."""
        height, width = u.shape[-2:]
        place = {"dtype": _precision(u), "device": u.device}
        across = self._symbol(2 * math.pi * torch.fft.rfftfreq(width, **place), width)
        down = self._symbol(2 * math.pi * torch.fft.fftfreq(height, **place), height)
        return across, down[:, None]

    def _symbol(self, angle: Tensor, length: int) -> Tensor:
        if self.stencil == "staggered":
            return 1 - torch.polar(torch.ones_like(angle), -angle)
        symbol = 1j * (angle.sin() if self.stencil == "central" else angle)
        if length % 2 == 0:
            symbol[length // 2] = 0  # the fastest mode, where sin(pi) is only nearly 0
        return symbol


def _precision(x: Tensor) -> torch.dtype:
    """That of x, or the next that Fourier transforms know."""
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype


def _transform(x: Tensor) -> Tensor:
    if not len(x):  # which the transforms refuse
        return torch.zeros(*x.shape[:-1], x.shape[-1] // 2 + 1, dtype=_precision(x).to_complex(), device=x.device)
    return torch.fft.rfft2(x.to(_precision(x)))


def _field(modes: Tensor, like: Tensor) -> Tensor:
    """The field of these modes, with the shape and dtype of another."""
    return torch.fft.irfft2(modes, s=like.shape[-2:]).to(like.dtype) if len(modes) else torch.zeros_like(like)
