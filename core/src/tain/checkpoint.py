"""A model as a folder: a file for each of its parts, and a manifest with their sha256 sums.

The parts of a model are the components it was built from (the mirror map and the generator of a mirrored one); a
model with settings or weights of its own is one part. The folder appears whole or not at all.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tain.atomic import beside, write_text
from tain.catalogue import create, identify
from tain.component import KINDS
from tain.component_file import FORMAT, load_component, reraise_with_place, save_component
from tain.configured import Configured, configuration
from tain.errors import CheckpointError, one_line
from tain.strict_json import dumps, loads

__all__ = ["load", "load_component", "read_manifest", "save", "save_component"]

MANIFEST = "manifest.json"


def save(model: Configured, folder: str | os.PathLike[str], notes: Mapping[str, Any] | None = None) -> None:
    """Write a model to a new folder.

    Args:
        model: any component.
        folder: must not exist.
        notes: plain values that travel with the model, such as the names of its columns.

    Raises:
        CheckpointError: the folder exists, or the model or the notes hold what a file cannot.
        UnknownNameError: a class of the model is in no plugin, so that nothing could reload it.
    """
    folder = Path(folder)
    if folder.exists():
        raise CheckpointError(f"{folder}: exists. Choose another folder, or remove it.")
    entry = identify(model)
    parts = _parts(model)
    manifest = {"format": FORMAT, "kind": entry.kind, "name": entry.name, "whole": not parts}
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = beside(folder)
    staged.mkdir()
    try:
        sums = {}
        for key, part in (parts or {"model": model}).items():
            save_component(part, staged / f"{key}.safetensors")
            sums[key] = _sha256(staged / f"{key}.safetensors")
        write_text(staged / MANIFEST, _json({**manifest, "sha256": sums, "notes": dict(notes or {})}))
        staged.rename(folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def load(folder: str | os.PathLike[str]) -> Any:
    """Rebuild the model that `save` wrote.

    Raises:
        CheckpointError: a file is missing, changed since it was written, truncated or foreign.
        UnknownNameError, BrokenPluginError, DuplicateNameError: a class of the model is not at hand.

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
    try:
        return create(manifest["kind"], manifest["name"], **parts)
    except Exception as cause:  # parts that do not fit each other
        reraise_with_place(cause, str(folder / MANIFEST))


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a model folder, checked.

    Raises:
        CheckpointError: there is none, or it is no manifest of tain.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise CheckpointError(f"{folder}: no {MANIFEST} in it. Give the folder that tain.save wrote.")
    try:
        manifest: dict[str, Any] = loads(path.read_bytes())
        fits = (
            manifest["format"] <= FORMAT
            and manifest["kind"] in KINDS
            and isinstance(manifest["name"], str)
            and isinstance(manifest["sha256"], dict)
            and isinstance(manifest["notes"], dict)
            and (not manifest["whole"] or "model" in manifest["sha256"])
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as cause:
        raise CheckpointError(f"{path}: is no manifest of tain ({one_line(str(cause))}).") from cause
    if not fits:
        raise CheckpointError(f"{path}: is no manifest of tain, or of a newer one (this one reads format {FORMAT}).")
    return manifest


def _parts(model: Configured) -> dict[str, Configured]:
    """The components that tell all of a model; empty if it has settings or weights of its own as well."""
    whole = configuration(model)
    parts = {key: part for key, part in whole.items() if isinstance(part, Configured)}
    theirs = {id(tensor) for part in parts.values() for tensor in part.state_dict(keep_vars=True).values()}
    own = any(id(tensor) not in theirs for tensor in model.state_dict(keep_vars=True).values())
    return {} if own or len(parts) < len(whole) else parts


def _json(manifest: dict[str, Any]) -> str:
    try:
        return dumps(manifest, indent=2)
    except (TypeError, ValueError) as cause:
        raise CheckpointError(f"The notes hold what JSON cannot ({one_line(str(cause))}). Use plain values.") from cause


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
