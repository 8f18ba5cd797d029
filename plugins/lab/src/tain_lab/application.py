"""The application that the subcommands of `tain` are registered with."""

from cyclopts import App
from rich.console import Console

__all__ = ["app", "console"]

app = App(
    name="tain",
    help="Generative models whose samples keep a rule.",
    help_epilogue="With any command: --plugin FILE.py adds the components of a Python file (may be repeated); errors "
    "are one line, and --traceback shows where one comes from.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # main says how to go on
)


def console() -> Console:
    """Where tables are printed: what plugins and files say is shown as it is."""
    return Console(markup=False, highlight=False)
