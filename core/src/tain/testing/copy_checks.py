"""Checks of all components: saved, rebuilt, copied and cast, a component stays the same."""

import copy
import tempfile
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor

from tain.capabilities import same_component
from tain.checkpoint import load, save
from tain.configured import configuration
from tain.errors import TainError, UnknownNameError
from tain.generators import Generator
from tain.learned import Learned
from tain.solvers import Solver
from tain.testing.checks import KINDS, WITH_ROWS, check
from tain.testing.compare import close, finite, same
from tain.testing.methods import Inputs, inputs, outputs
from tain.testing.outcome import CheckError, NotApplicable
from tain.testing.trials import Trial, in_dtype

__all__: list[str] = []


@check(*KINDS, once=True)
def checkpoint_round_trip(component: Any, trial: Trial) -> None:
    """A component that was saved and loaded gives the same results, with all that it learned."""
    changed = _changed(component, trial)
    with tempfile.TemporaryDirectory() as folder:
        try:
            save(changed, Path(folder) / "model")
        except UnknownNameError as cause:
            raise NotApplicable(str(cause)) from cause
        loaded = load(Path(folder) / "model")
    _require_same_bounds(loaded, changed, "in the loaded component")
    _require_same(in_dtype(loaded, trial.dtype), changed, trial, "of the loaded component")


@check(*KINDS, once=True)
def configuration_round_trip(component: Any, trial: Trial) -> None:
    """A component that is built again from its configuration, and given the same weights, gives the same results."""
    rebuilt = type(component)(**configuration(component))
    rebuilt.load_state_dict(component.state_dict())
    _require_same(in_dtype(rebuilt, trial.dtype), component, trial, "of the rebuilt component")


@check(*KINDS, once=True)
def deep_copy(component: Any, trial: Trial) -> None:
    """A deep copy gives the same results."""
    copied = copy.deepcopy(component)
    _require_same_bounds(copied, component, "in the copy")
    _require_same(copied, component, trial, "of the copy")


@check(*WITH_ROWS)
def cast_and_back(component: Any, trial: Trial) -> None:
    """`.double()`, `.float()` and back change the results by no more than float32 rounding."""
    given = inputs(component, trial)
    expected = outputs(component, given)
    for dtype in (torch.float32, torch.float64):
        cast = copy.deepcopy(component).to(dtype).to(trial.dtype)
        for name, value in outputs(cast, given).items():
            close(value, expected[name], 2e-3, f"{name} after .to({dtype}) and back", trial.subject.scale)


@check(*WITH_ROWS, once=True)
def half_precision(component: Any, trial: Trial) -> None:
    """Half precision gives finite numbers of that dtype, roughly right, or is refused by an error."""
    refusals = []
    for dtype in (torch.float16, torch.bfloat16):
        cast, given = copy.deepcopy(component).to(dtype), _plain(inputs(component, trial), trial)
        expected = _main(outputs(component, given))
        try:
            found = _main(outputs(cast, Inputs(*(tensor.to(dtype) for tensor in given.tensors()))))
        except (TainError, TypeError, NotImplementedError, RuntimeError) as refusal:
            # RuntimeError is how torch refuses an operation in half precision. What was said is the reason of the skip.
            refusals.append(f"{dtype}: {refusal}")
            continue
        for name, value in found.items():
            if value.dtype != dtype:
                raise CheckError(f"{name} of {dtype} numbers: has dtype {value.dtype}. Keep the dtype, or refuse it.")
            finite(value, f"{name} of {dtype} numbers")
            if name == "forward":  # near the boundary, rounding x to half precision alone moves its image far
                continue
            close(value.double(), expected[name].double(), 0.2, f"{name} of {dtype} numbers", trial.subject.scale)
    if len(refusals) == 2:
        raise NotApplicable(f"half precision is refused ({refusals[0]})")


def _plain(given: Inputs, trial: Trial) -> Inputs:
    """Points of the scale of the set, since half precision has no room for others."""
    normal = trial.normal(trial.subject.event_shape, 31)
    return attrs.evolve(given, z=given.x + trial.subject.scale * normal)


def _main(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: found[name] for name in ("distance", "project", "forward", "inverse", "log_prob") if name in found}


def _changed(component: Any, trial: Trial) -> Any:
    """A copy with other weights than a new one has, as after training; else a file without them would do."""
    changed = copy.deepcopy(component)
    if isinstance(changed, Generator):
        changed.prepare(2 * trial.inside(30) if trial.subject.constraint is None else trial.inside(30))
    with torch.no_grad():
        for weight in changed.parameters():
            weight.mul_(1.01).add_(0.01)
    return changed


def _require_same_bounds(found: Any, expected: Any, words: str) -> None:
    kept = _bounds(found)
    for place, bounds in _bounds(expected).items():
        if kept[place] != bounds:
            raise CheckError(f"The bounds of {place or 'the map'} {words}: are {kept[place]}, but must be {bounds}.")


def _bounds(component: Any) -> dict[str, dict[str, float]]:
    """What was measured of each learned map in it, by its place."""
    modules = component.named_modules(remove_duplicate=False)
    return {place: module.bounds for place, module in modules if isinstance(module, Learned)}


def _require_same(found: Any, expected: Any, trial: Trial, words: str) -> None:
    if isinstance(expected, Solver):
        if not same_component(found, expected):
            raise CheckError(f"The configuration or the weights {words}: differ from those of the original.")
        return
    given = inputs(expected, trial)
    values = outputs(expected, given)
    for name, value in outputs(found, given).items():
        same(value, values[name], f"{name} {words}")
    if isinstance(expected, Generator):
        same(found.sample(3, rng=0), expected.sample(3, rng=0), f"sample {words}")
