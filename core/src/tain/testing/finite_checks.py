"""Checks of all components: finite values and gradients, inside, at the edge, and for mirror images of any size."""

from typing import Any

import attrs
import torch
from torch import Tensor

from tain.constraints import Constraint
from tain.mirror_maps import MirrorMap
from tain.testing.checks import WITH_ROWS, check
from tain.testing.compare import finite
from tain.testing.methods import Inputs, inputs, row_methods, seeded_methods
from tain.testing.trials import Trial

__all__: list[str] = []

_OF_POINTS = ("distance", "project", "residual", "retract", "forward", "potential", "log_det", "hessian_vector")


@check(*WITH_ROWS)
def finite_inside(component: Any, trial: Trial) -> None:
    """Values and gradients are finite at points inside the set."""
    given = inputs(component, trial)
    given = attrs.evolve(given, z=given.x)
    _require_finite(component, given, tuple({**row_methods(component), **seeded_methods(component)}), trial)


@check(Constraint, MirrorMap)
def finite_at_the_edge(component: Any, trial: Trial) -> None:
    """Values and gradients are finite on the boundary of the set."""
    edge = trial.boundary()
    given = inputs(component, trial)
    _require_finite(component, attrs.evolve(given, x=edge, z=edge), _OF_POINTS, trial)


@check(MirrorMap)
def finite_for_any_image(mirror: MirrorMap, trial: Trial) -> None:
    """`inverse` and its gradient are finite for mirror images of any size."""
    given = inputs(mirror, trial)
    _require_finite(mirror, attrs.evolve(given, y=trial.images(50)), ("inverse",), trial)


def _require_finite(component: Any, given: Inputs, names: tuple[str, ...], trial: Trial) -> None:
    methods = {**row_methods(component), **seeded_methods(component)}
    for name in names:
        if name not in methods:
            continue
        leaves = given.map(lambda tensor: tensor.detach().clone().requires_grad_())
        value = methods[name](leaves)
        finite(value, name)
        if value.requires_grad:  # a Hessian may be constant
            _require_finite_gradient(name, value, leaves, trial)


def _require_finite_gradient(name: str, value: Tensor, leaves: Inputs, trial: Trial) -> None:
    weights = torch.randn(value.shape, generator=trial.rng(60), dtype=torch.float64).to(value.dtype)
    slopes = torch.autograd.grad((weights * value).sum(), leaves.tensors(), allow_unused=True)
    for slope in slopes:
        if slope is not None:
            finite(slope, f"the gradient of {name}")
