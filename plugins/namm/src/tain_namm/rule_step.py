"""One step of Gauss and Newton's method on a rule: the way back to the set that the rule itself tells."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tain import Constraint
from tain.jacobian import Jacobian, shortest
from tain.rows import per_row
from tain_namm.units import Units

__all__ = ["rule_step"]

_ITERATIONS = 4  # of conjugate gradients: what they leave is left to the network and to the next step


def rule_step(constraint: Constraint, units: Units, u: Tensor, longest: float) -> Tensor:
    """The step from u towards the set, each row by itself: the shortest s for which r + J s is least, about.

    r are the rule's equations at x = restored(u): its residual if it has one (`tain.Residual`), else its distance d
    alone. J is their derivative by u, and s what four iterations of conjugate gradients come to. Of one equation, that
    is Polyak's step, -d g / |g|^2 along the gradient g of d; of one sum, or tiles that are alike, u + s is the nearest
    point. A row has no step where it is 0 or not finite.

    The derivative of s is taken with J held fixed, as that of -J^+ r: what leads out of the set is taken away. The true
    one would need more derivatives of the rule than every rule has. It cannot be differentiated again.

    Sources:
        Numerical Optimization, chapters 4 and 10, https://doi.org/10.1007/978-0-387-40065-5
        Minimization of unsmooth functionals, https://doi.org/10.1016/0041-5553(69)90061-5

    Args:
        constraint: the rule; its equations are differentiable.
        units: of u.
        u: samples in standardised units, (B, *S).
        longest: the step's largest root mean square over entries; longer ones are shortened.

    Returns:
        (B, *S).

    Raises:
        ConfigurationError: the rule is cut off from autograd.

    Example:
        >>> import tain
        >>> @tain.constraint("sum-one", event_ndim=1)
        ... def sum_one(x):
        ...     return (x.sum(-1) - 1).abs()
        >>> rule_step(sum_one, Units((2,)), torch.tensor([[1.0, 1.0], [0.25, 0.75]]), longest=1.0)
        tensor([[-0.5000, -0.5000],
                [-0.0000, -0.0000]])
    """
    if not len(u):
        return torch.zeros_like(u)
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(u.device.type, enabled=False):
        # A clone, since what inference mode gave takes no part in autograd, which this needs in any mode.
        jacobian = Jacobian(constraint, units.restored(u.detach().clone()), units.scale)
        step = -shortest(jacobian, jacobian.values, _ITERATIONS)
        share = longest / step.flatten(1).square().mean(1).sqrt().clamp(min=longest)
        share = per_row(torch.where(share.isfinite(), share, 0), u)
        step = torch.where(share > 0, share * step, 0)  # not 0 times NaN
    return _RuleStep.apply(u, step.to(u.dtype), share, jacobian)


class _RuleStep(torch.autograd.Function):
    """The step, with the derivative that it has if J is held fixed."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, step: Tensor, share: Tensor, jacobian: Jacobian) -> Tensor:
        ctx.save_for_backward(share)
        ctx.jacobian = jacobian
        return step.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        (share,) = ctx.saved_tensors
        with torch.enable_grad(), torch.autocast(slope.device.type, enabled=False):
            outward = shortest(ctx.jacobian, ctx.jacobian.times(slope.to(share.dtype)), _ITERATIONS)
        return torch.where((share > 0) & outward.isfinite(), -share * outward, 0).to(slope.dtype), None, None, None
