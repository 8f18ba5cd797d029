"""What a stopped case of a bench goes on from: its data, and what was trained, in a folder of its own."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, final

import attrs
from torch import Tensor

import tain
from tain.atomic import write_text
from tain.configured import Configured
from tain_lab.arrays import read_array, write_array

__all__ = ["Kept", "Part"]

C = TypeVar("C", bound=Configured)


@attrs.frozen
class Part(Generic[C]):
    """Something that was trained.

    Attributes:
        model: in evaluation mode.
        losses: of each step.
        seconds: of processor time. Of a training that was stopped, those of the steps after it went on, as for all.
    """

    model: C
    losses: list[float]
    seconds: float

    @property
    def pace(self) -> float:
        """Seconds a step."""
        return self.seconds / len(self.losses)


@final
class Kept:
    """A folder in which each thing is made once. All that it gives was read from it, whether made now or before.

    Args:
        folder: made if it does not exist.

    Example:
        >>> import tempfile
        >>> kept = Kept(Path(tempfile.mkdtemp()) / "case")
        >>> kept.plain("answer", lambda: 42), kept.plain("answer", lambda: 43)
        (42, 42)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def plain(self, name: str, make: Callable[[], Any]) -> Any:
        """Plain values, as JSON."""
        file = self._folder / f"{name}.json"
        if not file.exists():
            write_text(file, json.dumps(make()))
        return json.loads(file.read_text(encoding="utf-8"))

    def array(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Rows of numbers; in memory, and so writable."""
        file = self._folder / f"{name}.npy"
        if not file.exists():
            write_array(file, make())
        return read_array(file).clone()

    def component(self, name: str, make: Callable[[], C]) -> C:
        """A component of the catalogue."""
        home = self._folder / name
        if not home.exists():
            tain.save(make(), home)
        made: C = self.loaded(name)
        return made

    def loaded(self, name: str) -> Any:
        """A component, or a model that was trained, of its own: what is done to it is done to no other."""
        return tain.load(self._folder / name)

    def trained(self, name: str, build: Callable[[], C], train: Callable[..., list[float]]) -> Part[C]:
        """A model, trained.

        Args:
            name: of the part.
            build: makes a new one.
            train: takes the model, and `checkpoint` and `after_step` as `fit` does; trains it and gives its losses.
        """
        home, state = self._folder / name, self._folder / f"{name}-training.safetensors"
        record = self._folder / f"{name}.json"
        if not home.exists():
            model, steps = build(), list[int]()
            started = time.process_time()
            losses = train(model, checkpoint=state, after_step=steps.append)
            seconds = time.process_time() - started
            if steps:
                told = {"losses": losses, "seconds": seconds * len(losses) / len(steps)}
                write_text(record, json.dumps(told))
            elif not record.exists():  # stopped right after its last step, so that nobody knows what it took
                state.unlink()
                return self.trained(name, build, train)
            tain.save(model, home)
            state.unlink(missing_ok=True)
        told = json.loads(record.read_text(encoding="utf-8"))
        return Part(self.loaded(name).eval(), told["losses"], told["seconds"])
