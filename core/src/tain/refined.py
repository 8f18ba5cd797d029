"""A mirror map whose points are brought onto the set by a few Newton steps on the rule itself."""

from collections.abc import Mapping
from typing import Annotated, Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tain.capabilities import Combined
from tain.configured import Configured, Field
from tain.constraints import Constraint
from tain.conversion import convert
from tain.jacobian import Jacobian, equations, shortest
from tain.mirror_maps import MirrorMap

__all__ = ["Refined", "refine"]

_ROWS = 256  # refined at once, so that many images do not fill the memory
_TRIES = 12  # of a step, halved each time

_STEPS = Field("the most steps that a row takes", at_least=1)
_TOLERANCE = Field("the distance at which a row stops; by default the constraint's tolerance", at_least=0)


@final
class Refined(Combined, MirrorMap):
    """The map, with what its inverse gives brought nearer to the set by `refine`, where it is off by more than allowed.

    For a map that is exact only roughly, such as a learned one: the rule tells how far off a point is and which way
    back is steepest. Points that are near enough stay as they are, bit for bit, and no point ends farther from the set
    than it was. Nothing promises that all arrive: `constraint.explain` tells. Nor is the map any more one to one.

    Its weights are those of the map. The gradient of `inverse` is that of `refine`.

    Args:
        map: the map to refine.
        steps: the most steps that a row takes, at least 1.
        tolerance: the distance at which a row stops, at least 0; by default the constraint's tolerance.

    Example:
        >>> import tain
        >>> @tain.constraint("unit-length", event_ndim=1)
        ... def unit_length(x):
        ...     return (x.square().sum(-1) - 1).abs()
        >>> class Unchanged(tain.MirrorMap):
        ...     def __init__(self, constraint: tain.Constraint):
        ...         super().__init__()
        ...         self.constraint = constraint
        ...     def forward(self, x):
        ...         return x
        ...     def inverse(self, y):
        ...         return y
        >>> tain.Refined(Unchanged(unit_length)).inverse(torch.tensor([[3.0, 4.0], [0.0, -1.0]]))
        tensor([[ 0.6000,  0.8000],
                [ 0.0000, -1.0000]])
    """

    def __init__(
        self,
        map: Annotated[MirrorMap, Field("the map to refine")],
        steps: Annotated[int, _STEPS] = 10,
        tolerance: Annotated[float | None, _TOLERANCE] = None,
    ):
        super().__init__()
        self.map, self.constraint = map, map.constraint
        self.steps, self.tolerance = steps, tolerance

    def made_of(self) -> Mapping[str, Configured]:
        return {"'map'": self.map}

    def forward(self, x: Tensor) -> Tensor:
        """The map's images: (B, *S) to (B, *T)."""
        return self.map.forward(x)

    def inverse(self, y: Tensor) -> Tensor:
        """The map's points, refined: (B, *T) to (B, *S)."""
        return refine(self.constraint, self.map.inverse(y), steps=self.steps, tolerance=self.tolerance)

    def mirror_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.map.mirror_shape(event_shape)

    def primal_shape(self, mirror_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.map.primal_shape(mirror_shape)


def refine(constraint: Constraint, x: Tensor, *, steps: int = 10, tolerance: float | None = None) -> Tensor:
    """Points near the set, brought nearer by Gauss-Newton steps; each row on its own.

    A step is the shortest that solves the linearised equations r(x) + J v = 0, in the sense of least squares. It is
    halved until |r| falls, and a row whose |r| falls by no such step stops. The equations are the rule's residual if it
    has one (`tain.Residual`), else its distance alone: then this is Polyak's step, x - distance g / |g|^2 along the
    gradient g. J is only multiplied, never written out. Of linear equations, one step gives the nearest point.

    The gradient is, to first order in the distance, that of the nearest point: what leads out of the set is taken
    away, on rows that stay as they are as well. It cannot be differentiated again.

    Sources:
        Numerical Optimization, chapter 10, https://doi.org/10.1007/978-0-387-40065-5
        Methods of conjugate gradients for solving linear systems, https://doi.org/10.6028/jres.049.044
        Minimization of unsmooth functionals, https://doi.org/10.1016/0041-5553(69)90061-5

    Args:
        constraint: the rule; its distance, or its residual, is differentiable at the points.
        x: points, (B, *S). Rows that are not numbers stay as they are.
        steps: the most steps that a row takes, at least 1.
        tolerance: the distance at which a row stops, at least 0; by default the constraint's tolerance.

    Returns:
        (B, *S). Rows at most `tolerance` from the set are those of x, bit for bit; no row is farther from it than in x.

    Raises:
        ShapeError: x is no batch of the rule's samples.
        ConfigurationError: `steps` or `tolerance` is out of range, or the rule is cut off from autograd.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> tain.refine(sum_one, torch.tensor([[1.0, 1.0], [0.25, 0.75]]))
        tensor([[0.5000, 0.5000],
                [0.2500, 0.7500]])
    """
    constraint.require_shape(x)
    steps = convert(steps, int, _STEPS, "refine: 'steps'")
    tolerance = convert(tolerance, float | None, _TOLERANCE, "refine: 'tolerance'")
    limit = constraint.tolerance(x.dtype) if tolerance is None else tolerance
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        # A clone, since what inference mode gave takes no part in autograd, which this needs in any mode.
        refined = torch.cat([_descended(constraint, part, steps, limit) for part in x.detach().clone().split(_ROWS)])
    return _Refinement.apply(x, refined, constraint)


class _Refinement(torch.autograd.Function):
    """The refined points, with the gradient of the nearest ones."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, refined: Tensor, constraint: Constraint) -> Tensor:
        ctx.save_for_backward(refined)
        ctx.constraint = constraint
        return refined.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (refined,) = ctx.saved_tensors
        with torch.enable_grad(), torch.autocast(slope.device.type, enabled=False):
            jacobian = Jacobian(ctx.constraint, refined)
            outward = shortest(jacobian, jacobian.times(slope))
        return torch.where(outward.isfinite(), slope - outward, slope), None, None


def _descended(constraint: Constraint, x: Tensor, steps: int, limit: float) -> Tensor:
    """Each row of x where it was nearest to the set."""
    nearest, least = x, constraint.distance(x).detach()
    rows = (least > limit).nonzero().flatten()  # not those whose distance is NaN
    now = x[rows]
    for _ in range(steps):
        if not len(rows):
            break
        jacobian = Jacobian(constraint, now)
        now, fell = _stepped(constraint, now, -shortest(jacobian, jacobian.values), jacobian.values)
        distance = constraint.distance(now).detach()
        nearer = distance < least[rows]
        nearest = nearest.index_copy(0, rows[nearer], now[nearer])
        least = least.index_copy(0, rows[nearer], distance[nearer])
        on = fell & (distance > limit)
        rows, now = rows[on], now[on]
    return nearest


def _stepped(constraint: Constraint, x: Tensor, step: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """x + step, each row's step halved until its equations fall; and the rows for which they do."""
    moved, fell = x, torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for halvings in range(_TRIES):
        rows = (~fell).nonzero().flatten()
        tried = x[rows] + 0.5**halvings * step[rows]
        better = equations(constraint, tried).detach().norm(dim=1) < values[rows].norm(dim=1)
        moved = moved.index_copy(0, rows[better], tried[better])
        fell = fell.index_fill(0, rows[better], True)
        if fell.all():
            break
    return moved, fell
