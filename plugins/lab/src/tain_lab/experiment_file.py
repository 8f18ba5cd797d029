"""The tables of an experiment's file as they stand there, before they are checked."""

import tomllib
from pathlib import Path
from typing import Any

from tain.configured import bind
from tain.errors import ConfigurationError, one_line
from tain_lab.settings import Settings

__all__ = ["completed", "read_record"]


def read_record(path: Path) -> dict[str, Any]:
    """The tables of a TOML file as they stand there.

    Raises:
        ConfigurationError: the file is missing or no TOML.
    """
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file.") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigurationError(f"{path}: cannot be read as TOML ({one_line(str(cause))}).") from cause


def completed(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """The tables, where [map.training] takes from [training] what it leaves out, and [finetuning] from both."""
    training, mirror, finetuning = (record.get(key, {}) for key in ("training", "map", "finetuning"))
    whole = dict(record)
    if isinstance(training, dict) and isinstance(mirror, dict):
        own = mirror.get("training", {})
        if not isinstance(own, dict):
            raise ConfigurationError(f"{path}: 'map': 'training' is {own!r}, but must be a table.")
        training = {**training, **own}
        if mirror:
            settings = Settings(**bind(Settings, training, owner=f"{path}: 'map': 'training'"))
            whole["map"] = {**mirror, "training": settings}
        if "finetuning" in record and isinstance(finetuning, dict):
            whole["finetuning"] = {**training, **finetuning}
    return whole
