"""The progress bar of long work; silent where the error stream is no terminal."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["rows_bar", "steps_bar"]


@contextlib.contextmanager
def steps_bar(label: str, total: int, done: int = 0, *, shown: bool = True) -> Iterator[Callable[[float], None]]:
    """A bar of `total` steps; the function that it gives is called with the loss after each step."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(label, total=total, completed=done, loss=float("nan"))
        yield lambda loss: bar.update(task, advance=1, loss=loss)


@contextlib.contextmanager
def rows_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of `total` rows; the function that it gives is called with how many more are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda rows: bar.update(task, advance=rows)
