"""The neural approximate mirror map of any rule with a differentiable distance."""

from collections.abc import Iterator
from typing import Annotated, Literal, final

import torch
from torch import Tensor, nn

from tain import (
    ConfigurationError,
    Constraint,
    DataError,
    Field,
    Finetunable,
    MissingCapabilityError,
    ShapeError,
)
from tain.randomness import generator, standard_normal
from tain_namm.distance_check import check_distance, require_inside
from tain_namm.input_convex import InputConvexGradient
from tain_namm.networks import forward_network, inverse_network
from tain_namm.newton import solve
from tain_namm.objective import Objective
from tain_namm.residual import Residual
from tain_namm.rule_step import rule_step
from tain_namm.shape_check import checked_patch
from tain_namm.units import Units
from tain_namm.unrolled import Unrolled

__all__ = ["NeuralMirrorMap"]

_OFF = 0.01  # how far off the data, at least, the rule is tried, in standardised units


@final
class NeuralMirrorMap(Finetunable):
    """A forward map f and an approximate inverse g, both networks, trained to keep a rule known by its distance alone.

    In training, mirror images are moved by noise of size up to sigma_max, and g must bring them onto the set: so a
    generator's images, which are not exactly those of data, come back near to the set as well. With u the data in
    standardised units, v = f(u) and w = v + sigma z, z normal, the loss of a sample is

        |u - g(v)| + |v - f(g(v))| + lambda distance(g(w)) + rho |u - v|,

    where |.| is the mean of absolute values over entries: lambda and rho then mean the same at each size of image. The
    distance is that of g(w) in the units of the data. The variant "released" is what the source's code computes:

        |u - g(v)| / 2 + |w - f(g(w))| / 2 + lambda distance(g(w)) + rho |grad phi(u)|,

    with phi the convex part of f's potential; if f is a "resnet" it is rho |u - v| as above.

    `prepare` takes the mean and standard deviation of each channel (of all entries of vectors), which shift and scale x
    to u; mirror images, and so sigma_max, are in these units. With `standardised=False`, as in the source, u is x.

    f is the gradient of a strongly convex function ("icnn"), which `exact_inverse` inverts numerically, or a residual
    network ("resnet"), the source's ablation. g starts at the inverse that f starts with, y / mu, takes K Gauss-Newton
    steps on the rule (`unrolled_steps`), and adds a correction to each, by a "unet" or the source's "resnet", which is
    told the step. With `unrolled_steps=0`, as in the source, it is told nothing; with `residual=False`, the inverse is
    the bare network. Of vectors, all but the icnn are residual perceptrons. Icnn and unet take 2 x 2 pixels as one with
    more channels where the size allows it, which is cheaper (`patch=1`: not).

    The steps' derivatives are Gauss and Newton's approximation too: those of `inverse` and of the losses are exact
    where the rule is linear. They cannot be differentiated again.

    Weights are drawn from `seed` alone. Weights of the constraint, such as those of a counting network, are frozen:
    else it would be trained to call every sample right.

    Source: Neural Approximate Mirror Maps for Constrained Diffusion Models, section 3,
    https://arxiv.org/abs/2406.12816

    Attributes:
        units: shift and scale of each channel, or of all entries of vectors.

    Raises:
        ConfigurationError: an argument is of another type or beyond its limit, `event_shape` has neither one nor three
            dimensions, is another than the constraint's, or is too small for a "resnet"; or steps of a rule are to be
            taken by an inverse that is no correction.

    Example:
        >>> import tain
        >>> @tain.constraint("unit-circle", event_ndim=1)
        ... def unit_circle(x):
        ...     return (x.square().sum(-1) - 1).abs()
        >>> angle = 6.28 * torch.rand(256, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        >>> data = torch.cat((angle.cos(), angle.sin()), dim=1)
        >>> mirror = NeuralMirrorMap(unit_circle, (2,), width=16).double()
        >>> mirror.prepare(data)
        >>> mirror.loss(data, rng=0).shape
        torch.Size([256])
        >>> y = mirror(data)
        >>> bool((mirror.exact_inverse(y) - data).abs().max() < 1e-4)
        True
    """

    def __init__(
        self,
        constraint: Annotated[Constraint, Field("the rule")],
        event_shape: Annotated[tuple[int, ...], Field("(N,) or (channels, height, width)", at_least=1)],
        sigma_max: Annotated[float, Field("largest size of the noise, standardised", at_least=0)] = 0.1,
        constraint_weight: Annotated[float, Field("lambda", at_least=0)] = 1.0,
        regularisation: Annotated[float, Field("rho", at_least=0)] = 1e-3,
        forward_map: Annotated[Literal["icnn", "resnet"], Field("network of the forward map")] = "icnn",
        inverse_map: Annotated[Literal["unet", "resnet"], Field("network of the inverse, of images")] = "unet",
        residual: Annotated[bool, Field("whether the inverse's network is a correction")] = True,
        unrolled_steps: Annotated[
            int | None, Field("Gauss-Newton steps on the rule; by default 1 if residual, else 0", at_least=0)
        ] = None,
        width: Annotated[int, Field("features of the inverse's first layer", at_least=1)] = 16,
        blocks: Annotated[int, Field("residual blocks of the inverse", at_least=1)] = 1,
        forward_width: Annotated[int, Field("features of the forward map's layers", at_least=1)] = 8,
        layers: Annotated[int, Field("layers of the forward map", at_least=1)] = 2,
        strong_convexity: Annotated[float, Field("mu of an icnn", above=0, below=1)] = 0.9,
        periodic: Annotated[bool, Field("whether images go on periodically")] = False,
        patch: Annotated[int | None, Field("pixels a side that icnn and unet take as one", at_least=1)] = None,
        noise: Annotated[Literal["uniform", "fixed"], Field("sigma: in [0, sigma_max], or that")] = "uniform",
        variant: Annotated[Literal["paper", "released"], Field("form of the loss")] = "paper",
        standardised: Annotated[bool, Field("whether the networks see data of deviation 1")] = True,
        seed: Annotated[int, Field("seed of the initial weights", at_least=0)] = 0,
    ):
        super().__init__()
        patch = checked_patch(constraint, event_shape, patch)
        steps = int(residual) if unrolled_steps is None else unrolled_steps
        if steps and not residual:
            raise ConfigurationError(
                f"NeuralMirrorMap: 'unrolled_steps' is {steps}, but must be 0 with residual=False. Leave one out."
            )
        self.constraint, self.event_shape = constraint.requires_grad_(False), event_shape
        self.objective = Objective(sigma_max, constraint_weight, regularisation, noise, variant)
        self.standardised = standardised
        self.units = Units(event_shape)
        slope = None if not residual else strong_convexity if forward_map == "icnn" else 1.0
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.forward_map = forward_network(
                forward_map, event_shape, forward_width, layers, strong_convexity, periodic, patch
            )
            network = inverse_network(inverse_map, event_shape, width, blocks, periodic, slope, patch, told=steps > 0)
        self._noise = sigma_max or 1.0
        self.inverse_map: Residual | Unrolled
        if steps and slope is not None:
            self.inverse_map = Unrolled(network, slope, steps, self._noise)
        else:
            self.inverse_map = Residual(network, slope)
        self._tried = False

    def forward(self, x: Tensor) -> Tensor:
        """Mirror images: (B, *event_shape) to the same, in standardised units."""
        self.constraint.require(x)
        return self.forward_map(self.units.standardised(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Samples near to the set: (B, *event_shape) to the same."""
        return self.units.restored(self._returned(y))

    def exact_inverse(self, y: Tensor, *, tolerance: float = 1e-5, max_steps: int = 50) -> Tensor:
        """The one x that `forward` takes to y, found by Newton's method: what `inverse` should give of exact images.

        It knows nothing of the set: of an image that no point of the set has, it gives a point outside. No gradient
        goes through it.

        Args:
            y: mirror images, (B, *event_shape).
            tolerance: the largest error of an entry of the image of x, above 0.
            max_steps: of Newton's method.

        Raises:
            MissingCapabilityError: the forward map is a "resnet", which may have no inverse.
            ConfigurationError: a row has not come as near to its image within these steps.
        """
        if not isinstance(self.forward_map, InputConvexGradient):
            raise MissingCapabilityError(
                "NeuralMirrorMap.exact_inverse: the forward map is a 'resnet', which may have no inverse. Train one "
                "with forward_map='icnn'."
            )
        y = y.detach()
        u = solve(self.forward_map, y, y / self.forward_map.strong_convexity, tolerance, max_steps)
        return self.units.restored(u)

    @torch.no_grad()
    def prepare(self, x: Tensor) -> None:
        """Take mean and standard deviation of the training data, (N, *event_shape).

        Raises:
            ShapeError: the data have another shape or dtype.
            DataError: there is no row.
            OutsideSetError: rows break the rule that they are to teach; the message names the worst.
        """
        self.constraint.require_shape(x)
        if tuple(x.shape[1:]) != self.event_shape or x.dtype != self.units.scale.dtype:
            raise ShapeError(
                f"NeuralMirrorMap.prepare: the data have shape {tuple(x.shape)} and dtype {x.dtype}, but must have "
                f"(N, {', '.join(map(str, self.event_shape))}) and {self.units.scale.dtype}."
            )
        if not len(x):
            raise DataError("NeuralMirrorMap.prepare: there are 0 rows, but at least 1 is needed.")
        require_inside(self.constraint, x)
        if self.standardised:
            self.units.take(x)

    def loss(self, x: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The training loss of each sample: (B, *event_shape) to (B,).

        Raises:
            ConfigurationError: at the first call, if the distance is negative, not one number a row, not finite or
                without gradient.
        """
        self._try(x)
        u = self.units.standardised(x)
        return self.objective.loss(self.forward_map, self._returned, self._distance, u, rng)

    def finetuning_loss(self, x: Tensor, y: Tensor, *, rng: torch.Generator | int | None = None) -> Tensor:
        """The loss of each pair of a sample of the data and a generated image y, both (B, *event_shape), to (B,).

        The forward map stays as it is. With v the image of u, and w = y + sigma z, it is

            |u - g(v)| + |y - f(g(y))| + lambda distance(g(w)),

        and for the variant "released" |u - g(v)| / 2 + |w - f(g(w))| / 2 + lambda distance(g(w)).
        """
        self._try(x)
        u = self.units.standardised(x)
        return self.objective.finetuning_loss(self.forward_map, self._returned, self._distance, u, y, rng)

    def finetuned(self) -> Iterator[nn.Parameter]:
        """The weights of the inverse."""
        yield from self.inverse_map.parameters()

    def _returned(self, y: Tensor) -> Tensor:
        """What `inverse` gives, in standardised units."""
        if isinstance(self.inverse_map, Residual):
            return self.inverse_map(y)
        return self.inverse_map(y, self._rule_step)

    def _rule_step(self, u: Tensor) -> Tensor:
        return rule_step(self.constraint, self.units, u, longest=self._noise)

    def _distance(self, u: Tensor) -> Tensor:
        """The distance of samples given in standardised units, computed in the precision of the data."""
        with torch.autocast(u.device.type, enabled=False):
            return self.constraint.distance(self.units.restored(u))

    def _try(self, x: Tensor) -> None:
        """Try the rule, once, at the data moved by noise."""
        if self._tried or not len(x):
            return
        noise = max(self.objective.sigma_max, _OFF) * standard_normal(tuple(x.shape), generator(0), x)
        check_distance(self.constraint, x + self.units.scale * noise)
        self._tried = True
