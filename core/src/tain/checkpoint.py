"""Checkpoints: one safetensors file a component, a folder with a manifest for a model. Nothing is ever unpickled.

A component's file holds its weights and, under the one metadata key `tain`, JSON: format, kind, name, distribution,
version and configuration. Loading goes by kind and name through the catalogue; no class path from a file is ever
imported. A model's folder holds a file for each of its parts and `manifest.json` with their sha256 sums.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from tain.atomic import write_bytes
from tain.catalogue import create, identify
from tain.component import KINDS
from tain.configured import Configured, configuration
from tain.errors import CheckpointError, TainError

__all__ = ["load", "load_component", "read_manifest", "save", "save_component"]

FORMAT = 1
MANIFEST = "manifest.json"
_CONFIGURATION_PREFIX = "configuration:"


def save_component(component: Configured, path: str | os.PathLike[str]) -> None:
    """Write one component to a safetensors file, atomically.

    Raises:
        UnknownNameError: its class is in no plugin, so that nothing could reload it.
    """
    tensors: dict[str, Tensor] = dict(component.state_dict())
    record = _describe(component, tensors)
    entry = identify(component)
    record |= {
        "format": FORMAT,
        "distribution": entry.plugin.distribution,
        "version": entry.plugin.version,
    }
    contiguous = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    write_bytes(Path(path), safetensors.torch.save(contiguous, {"tain": json.dumps(record)}))


def load_component(path: str | os.PathLike[str]) -> Any:
    """Rebuild the component that `save_component` wrote, on the CPU and in its own dtype.

    Raises:
        CheckpointError: the file is missing, truncated, foreign, from a newer format, or does not fit its class.
        UnknownNameError, BrokenPluginError: its class is not installed.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    try:
        record = json.loads(metadata["tain"])
        if record["format"] > FORMAT:
            raise CheckpointError(
                f"{path}: written by a newer tain (format {record['format']}, this one reads {FORMAT})."
            )
        component = _build(record, tensors)
        weights = {key: t for key, t in tensors.items() if not key.startswith(_CONFIGURATION_PREFIX)}
        component.load_state_dict(weights, strict=True, assign=True)
    except CheckpointError:
        raise
    except TainError as cause:
        raise type(cause)(f"{path}: {cause}") from cause
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as cause:
        raise CheckpointError(
            f"{path}: does not describe a component of tain ({_first_line(cause)}). Use a file that tain.save wrote."
        ) from cause
    return component


def save(model: Configured, folder: str | os.PathLike[str], notes: Mapping[str, Any] | None = None) -> None:
    """Write a model to a new folder: a file for each part and a manifest with their sha256 sums.

    The parts of a model are the components it was built from (the mirror map and the generator of a mirrored one);
    a model without parts is one file. The folder appears whole or not at all.

    Args:
        model: any component.
        folder: must not exist.
        notes: plain values that travel with the model, such as the names of its columns.

    Raises:
        CheckpointError: the folder exists.
    """
    folder = Path(folder)
    if folder.exists():
        raise CheckpointError(f"{folder}: exists. Choose another folder, or remove it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        whole = configuration(model)
        parts = {key: part for key, part in whole.items() if isinstance(part, Configured)}
        if len(parts) < len(whole):  # it has settings of its own as well, so it cannot be told by its parts alone
            parts = {}
        sums = {}
        for key, part in (parts or {"model": model}).items():
            save_component(part, staged / f"{key}.safetensors")
            sums[key] = _sha256(staged / f"{key}.safetensors")
        entry = identify(model)
        manifest = {
            "format": FORMAT,
            "kind": entry.kind,
            "name": entry.name,
            "whole": not parts,
            "sha256": sums,
            "notes": dict(notes or {}),
        }
        write_bytes(staged / MANIFEST, json.dumps(manifest, indent=2).encode())
        staged.chmod(0o755)
        staged.rename(folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def load(folder: str | os.PathLike[str]) -> Any:
    """Rebuild the model that `save` wrote.

    Raises:
        CheckpointError: a file is missing, changed since it was written, truncated or foreign.

    Example:
        >>> import tempfile, tain
        >>> from pathlib import Path
        >>> tain.load(Path(tempfile.mkdtemp()))
        Traceback (most recent call last):
            ...
        tain.errors.CheckpointError: ...: no manifest.json in it. Give the folder that tain.save wrote.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    parts = {}
    for key, expected in manifest["sha256"].items():
        if not key.isidentifier():
            raise CheckpointError(f"{folder / MANIFEST}: '{key}' is no name of a part.")
        path = folder / f"{key}.safetensors"
        if not path.is_file():
            raise CheckpointError(f"{path}: is missing. Copy the whole model folder.")
        if _sha256(path) != expected:
            raise CheckpointError(f"{path}: differs from its sha256 sum in {MANIFEST}. Copy the folder again.")
        parts[key] = load_component(path)
    if manifest["whole"]:
        return parts["model"]
    return create(manifest["kind"], manifest["name"], **parts)


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a model folder, checked.

    Raises:
        CheckpointError: there is none, or it is no manifest of tain.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise CheckpointError(f"{folder}: no {MANIFEST} in it. Give the folder that tain.save wrote.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        fits = (
            manifest["format"] <= FORMAT
            and manifest["kind"] in KINDS
            and isinstance(manifest["name"], str)
            and isinstance(manifest["sha256"], dict)
            and isinstance(manifest["notes"], dict)
            and (not manifest["whole"] or "model" in manifest["sha256"])
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise CheckpointError(f"{path}: is no manifest of tain ({_first_line(cause)}).") from cause
    if not fits:
        raise CheckpointError(f"{path}: is no manifest of tain, or of a newer one (this one reads format {FORMAT}).")
    return manifest


def _describe(component: Configured, tensors: dict[str, Tensor], path: str = "") -> dict[str, Any]:
    """Kind, name and configuration as JSON; tensors within it are put beside the weights and referred to by key."""
    entry = identify(component)

    def plain(value: Any, key: str) -> Any:
        if isinstance(value, Configured):
            return {"component": _describe(value, tensors, f"{key}.")}
        if isinstance(value, Tensor):
            tensors[_CONFIGURATION_PREFIX + key] = value
            return {"tensor": _CONFIGURATION_PREFIX + key}
        if isinstance(value, tuple):
            return [plain(element, f"{key}.{index}") for index, element in enumerate(value)]
        return value

    values = {key: plain(value, path + key) for key, value in configuration(component).items()}
    return {"kind": entry.kind, "name": entry.name, "configuration": values}


def _build(record: dict[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    def value_of(stored: Any) -> Any:
        if isinstance(stored, dict) and "component" in stored:
            return _build(stored["component"], tensors)
        if isinstance(stored, dict) and "tensor" in stored:
            return tensors[stored["tensor"]]
        if isinstance(stored, list):
            return tuple(value_of(element) for element in stored)
        return stored

    values = {key: value_of(stored) for key, stored in record["configuration"].items()}
    return create(record["kind"], record["name"], **values)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (safetensors.SafetensorError, OSError) as cause:
        raise CheckpointError(
            f"{path}: is truncated or no safetensors file ({_first_line(cause)}). Use a file that tain.save wrote."
        ) from cause
    if "tain" not in metadata:
        raise CheckpointError(f"{path}: is a safetensors file, but not one of tain (no 'tain' in its metadata).")
    return metadata, tensors


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(cause: BaseException) -> str:
    return str(cause).split("\n")[0][:200]
