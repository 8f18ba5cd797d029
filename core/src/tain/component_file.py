"""One component as one safetensors file. Nothing is ever unpickled, and no class path from a file is ever imported.

The file holds the component's weights and, under the one metadata key `tain`, JSON: format, kind, name, distribution,
version, configuration and, of a learned mirror map, its measured bounds. Loading goes by kind and name through the
catalogue. Tensors in the configuration lie beside the weights, under keys with the prefix `configuration:`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import safetensors
import safetensors.torch
from torch import Tensor

from tain.atomic import write_bytes
from tain.catalogue import create, identify
from tain.configured import Configured, configuration
from tain.errors import BrokenPluginError, CheckpointError, DuplicateNameError, UnknownNameError, one_line
from tain.fields import shown
from tain.learned import Learned
from tain.strict_json import dumps, loads

__all__ = ["FORMAT", "load_component", "reraise_with_place", "save_component"]

FORMAT = 1
_CONFIGURATION_PREFIX = "configuration:"


def save_component(component: Configured, path: str | os.PathLike[str]) -> None:
    """Write one component to a safetensors file, atomically.

    Raises:
        UnknownNameError: its class is in no plugin, so that nothing could reload it.
        CheckpointError: its configuration or state holds what a file cannot.
    """
    plugin = identify(component).plugin
    tensors: dict[str, Tensor] = dict(component.state_dict())
    for key, value in tensors.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{type(component).__name__}: its state '{key}' is {shown(value)} ({type(value).__name__}), but a "
                "checkpoint holds tensors only."
            )
    record = {
        "format": FORMAT,
        "distribution": plugin.distribution,
        "version": plugin.version,
        **_describe(component, tensors),
    }
    # Each tensor by itself, since safetensors refuses those that share memory.
    separate = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    write_bytes(Path(path), safetensors.torch.save(separate, {"tain": dumps(record)}))


def load_component(path: str | os.PathLike[str]) -> Any:
    """Rebuild the component that `save_component` wrote, on the CPU, in its own dtype and ready for use (`eval`).

    Raises:
        CheckpointError: the file is missing, truncated, foreign, from a newer format, or does not fit its class.
        UnknownNameError, BrokenPluginError, DuplicateNameError: its class is not at hand.
    """
    path = Path(path)
    text, tensors = _read(path)
    author = ""
    try:
        record = loads(text)
        if record["format"] > FORMAT:
            raise CheckpointError(f"written by a newer tain (format {record['format']}, this one reads {FORMAT}).")
        author = f" (written with {record['distribution']} {record['version']})"
        component = _build(record, tensors)
        _fill(component, {key: t for key, t in tensors.items() if not key.startswith(_CONFIGURATION_PREFIX)})
    except Exception as cause:  # a damaged file may make any class, also a plugin's, fail in any way
        reraise_with_place(cause, f"{path}{author}")
    # Even dropout with probability 0 copies its input in training mode, and another layout in memory rounds otherwise:
    # without this a model that has been trained and its copy from a file could differ in their last bits.
    return component.train(False)


def reraise_with_place(cause: Exception, place: str) -> NoReturn:
    """Raise what came of a file's content as an error that names the file."""
    if isinstance(cause, CheckpointError | UnknownNameError | BrokenPluginError | DuplicateNameError):
        raise type(cause)(f"{place}: {cause}") from cause
    raise CheckpointError(
        f"{place}: does not describe a component that can be built ({type(cause).__name__}: "
        f"{one_line(str(cause), 200)}). Use a file that tain.save wrote."
    ) from cause


def _describe(component: Configured, tensors: dict[str, Tensor], path: str = "") -> dict[str, Any]:
    """Kind, name, configuration and bounds as JSON; tensors are put beside the weights and referred to by key."""
    entry = identify(component)

    def plain(value: Any, key: str) -> Any:
        if isinstance(value, Configured):
            return {"component": _describe(value, tensors, f"{key}.")}
        if isinstance(value, Tensor):
            tensors[_CONFIGURATION_PREFIX + key] = value
            return {"tensor": _CONFIGURATION_PREFIX + key}
        if isinstance(value, list | tuple):
            return [plain(element, f"{key}.{index}") for index, element in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise CheckpointError(
            f"{type(component).__name__}: '{key}' is {shown(value)} ({type(value).__name__}), which a checkpoint "
            "cannot record. Use plain values, tuples, tensors or components."
        )

    values = {key: plain(value, path + key) for key, value in configuration(component).items()}
    bounds = component.bounds if isinstance(component, Learned) else {}
    measured = {"bounds": bounds} if bounds else {}
    return {"kind": entry.kind, "name": entry.name, "configuration": values, **measured}


def _build(record: dict[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    def value_of(stored: Any) -> Any:
        if isinstance(stored, dict):
            return _build(stored["component"], tensors) if "component" in stored else tensors[stored["tensor"]]
        return tuple(map(value_of, stored)) if isinstance(stored, list) else stored

    values = {key: value_of(stored) for key, stored in record["configuration"].items()}
    component = create(record["kind"], record["name"], **values)
    if "bounds" in record:
        component.record_bounds(record["bounds"])
    return component


def _fill(component: Configured, weights: Mapping[str, Tensor]) -> None:
    """Copy the weights in, to the bit: the component takes their dtype first. Weights that are tied stay tied."""
    for key, target in component.state_dict(keep_vars=True).items():
        if key in weights:
            target.data = target.data.to(weights[key].dtype)
    component.load_state_dict(weights, strict=True)


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except Exception as cause:  # of many types, and of others in each version of safetensors
        raise CheckpointError(
            f"{path}: is truncated or no safetensors file ({one_line(str(cause))}). Use a file that tain.save wrote."
        ) from cause
    if "tain" not in metadata:
        raise CheckpointError(f"{path}: is a safetensors file, but not one of tain (no 'tain' in its metadata).")
    return metadata["tain"], tensors
