"""Checks of all components: each row is a sample of its own."""

from typing import Any

import torch
from torch import Tensor

from tain.mirror_maps import MirrorMap
from tain.testing.checks import WITH_ROWS, check
from tain.testing.compare import close
from tain.testing.methods import Inputs, inputs, outputs, row_methods, seeded_methods
from tain.testing.outcome import CheckError
from tain.testing.trials import Trial

__all__: list[str] = []


@check(*WITH_ROWS)
def shapes_and_dtypes(component: Any, trial: Trial) -> None:
    """Results have the documented shape, and the dtype and device of what was given."""
    given = inputs(component, trial)
    for name, value in outputs(component, given).items():
        _require_form(name, value, given, component, trial)


@check(*WITH_ROWS)
def one_row_alone(component: Any, trial: Trial) -> None:
    """A row alone gives what it gives within a batch."""
    given, methods = inputs(component, trial), row_methods(component)
    for name, method in methods.items():
        alone, whole = method(given.map(lambda tensor: tensor[-1:])), method(given)
        close(alone, whole[-1:], 1e-10 if trial.precise else 1e-4, f"{name} of a row alone", scale=trial.subject.scale)


@check(*WITH_ROWS)
def permuted_rows(component: Any, trial: Trial) -> None:
    """Permuted rows give permuted results."""
    given, order = inputs(component, trial), torch.randperm(trial.rows, generator=trial.rng(9))
    for name, method in row_methods(component).items():
        moved, whole = method(given.map(lambda tensor: tensor[order])), method(given)
        close(moved, whole[order], 1e-10 if trial.precise else 1e-4, f"{name} of permuted rows", trial.subject.scale)


@check(*WITH_ROWS)
def other_neighbours(component: Any, trial: Trial) -> None:
    """A row's result does not depend on the other rows of its batch."""
    given, other = inputs(component, trial), inputs(component, trial, stream=20)
    pairs = zip(given.tensors(), other.tensors(), strict=True)
    changed = Inputs(*(torch.cat([a[:1], b[1:]]) for a, b in pairs))
    for name, method in {**row_methods(component), **seeded_methods(component)}.items():
        found, expected = method(changed), method(given)
        if not expected.ndim:
            raise CheckError(f"{name}: is one number for the whole batch, but must be one result a row.")
        what = f"{name} of a row with other neighbours"
        close(found[:1], expected[:1], 1e-10 if trial.precise else 1e-4, what, scale=trial.subject.scale)


@check(*WITH_ROWS, once=True)
def empty_batch(component: Any, trial: Trial) -> None:
    """An empty batch gives empty results of the right shape."""
    given = inputs(component, trial)
    empty = given.map(lambda tensor: tensor[:0])
    for name, value in outputs(component, empty).items():
        _require_form(f"{name} of an empty batch", value, empty, component, trial, name)


def _require_form(
    what: str, value: Any, given: Inputs, component: Any, trial: Trial, method: str | None = None
) -> None:
    if not isinstance(value, Tensor):
        raise CheckError(f"{what}: is a {type(value).__name__}, but must be a tensor.")
    rows, shape = len(given.x), _event_shape(method or what, component, trial)
    if shape is None and (value.ndim != 2 or len(value) != rows):
        raise CheckError(f"{what}: has shape {tuple(value.shape)}, but must have ({rows}, K).")
    if shape is not None and tuple(value.shape) != (rows, *shape):
        raise CheckError(f"{what}: has shape {tuple(value.shape)}, but must have {(rows, *shape)}.")
    if value.dtype != trial.dtype:
        raise CheckError(f"{what}: has dtype {value.dtype}, but must have that of what was given, {trial.dtype}.")
    if value.device != given.x.device:
        raise CheckError(f"{what}: is on {value.device}, but must be where its input is, {given.x.device}.")


def _event_shape(method: str, component: Any, trial: Trial) -> tuple[int, ...] | None:
    """The shape of one row of a method's result; None for any number of equations."""
    if method in ("project", "retract", "inverse", "inverse_hessian_vector", "denoise"):
        return trial.subject.event_shape
    if method in ("forward", "hessian_vector"):
        assert isinstance(component, MirrorMap)
        return tuple(component.mirror_shape(trial.subject.event_shape))
    return None if method == "residual" else ()
