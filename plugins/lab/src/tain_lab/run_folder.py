"""The folder of a run: refuses to touch what is not its own, and knows where a stopped run goes on.

run.json            status (running or finished) and the fingerprint of the experiment
experiment.toml     a copy of it
progress/           states of training, and models on the way to the final one; gone when the run is finished
stages.json         what each training takes, if the mirror map is learned; decided once
model/, baseline/   trained models, as tain.load reads them
samples.csv, baseline-samples.csv (.npy, if they are arrays)
report.html, report.json, pictures/
"""

import json
import shutil
from pathlib import Path
from typing import Any, Literal, final

from tain.atomic import write_text
from tain.errors import CheckpointError, DataError

__all__ = ["RunFolder", "is_finished"]

_RECORD = "run.json"


@final
class RunFolder:
    """A folder that this run owns.

    Args:
        path: the folder; made if it does not exist.
        digest: fingerprint of the experiment; an unfinished run of the same one is continued.
        overwrite: remove what another run left there, finished or not.

    Raises:
        DataError: the folder holds a finished run, or an unfinished one of another experiment (both may be
            overwritten), or something that no run of tain made (never overwritten).

    Attributes:
        path: the folder.
        resumed: whether a stopped run is continued.
    """

    def __init__(self, path: Path, digest: str, *, overwrite: bool = False) -> None:
        self.path = path
        self._digest = digest
        record = _read(path)
        self.resumed = False
        if record is not None and not overwrite:
            if record["status"] == "finished":
                raise DataError(
                    f"{path}: holds a finished run. Give another folder with --output, or --overwrite to replace it."
                )
            if record["digest"] != digest:
                raise DataError(
                    f"{path}: holds an unfinished run of another experiment, or of data that have changed since. Give "
                    "another folder with --output, or --overwrite to replace it."
                )
            self.resumed = True
        elif record is not None:
            shutil.rmtree(path)
        if not self.resumed:
            path.mkdir(parents=True, exist_ok=True)
            self._write("running")
        (path / "progress").mkdir(exist_ok=True)

    def training_state(self, name: str) -> Path:
        """Where the state of a training is kept while it runs."""
        return self.path / "progress" / f"{name}.safetensors"

    def finish(self) -> None:
        """Mark the run as finished; the states of training are no longer needed."""
        shutil.rmtree(self.path / "progress")
        self._write("finished")

    def _write(self, status: Literal["running", "finished"]) -> None:
        write_text(self.path / _RECORD, json.dumps({"status": status, "digest": self._digest}, indent=2) + "\n")


def is_finished(path: Path, digest: str) -> bool:
    """Whether a folder holds the finished run of the experiment with this fingerprint.

    Raises:
        DataError, CheckpointError: the path is no folder, or one with files of no run.
    """
    return _read(path) == {"status": "finished", "digest": digest}


def _read(path: Path) -> dict[str, Any] | None:
    """The record of the run in a folder, or None where there is no folder or an empty one."""
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: is no folder. Give another one with --output.")
    if not path.exists() or not any(path.iterdir()):
        return None
    try:
        record: dict[str, Any] = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        if record["status"] in ("running", "finished") and isinstance(record["digest"], str):
            return record
    except FileNotFoundError:
        raise DataError(f"{path}: holds files that are of no run of tain. Give another folder with --output.") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise CheckpointError(f"{path / _RECORD}: is no record of a run. Give another folder with --output.")
