"""Every error that tain raises for a user's mistake, or for something broken outside of it.

Each message names the culprit, the value, the limit and the fix, and can be shown as it is: the command line prints
it without a traceback. An error that is none of these is a bug in tain.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "BrokenPluginError",
    "CheckpointError",
    "ConfigurationError",
    "DataError",
    "DuplicateNameError",
    "MissingCapabilityError",
    "NoMirrorMapError",
    "OutsideSetError",
    "ShapeError",
    "TainDeprecationWarning",
    "TainError",
    "TrainingError",
    "UnknownNameError",
    "nearest",
    "one_line",
]


class TainError(Exception):
    """Base of all errors below."""


class TainDeprecationWarning(FutureWarning):
    """Something of tain's interface goes away in the release that the message names, with what to use instead.

    It is a FutureWarning, since Python hides a DeprecationWarning from those who run a program, and they should know.
    """


class ConfigurationError(TainError, ValueError):
    """A configuration holds a key or a value that its component does not take."""


class UnknownNameError(TainError, LookupError):
    """No installed plugin provides a component of that kind and name."""


class DuplicateNameError(TainError, LookupError):
    """Two installed plugins provide a component of the same kind and name."""


class BrokenPluginError(TainError, RuntimeError):
    """What was asked for comes from a plugin that could not be loaded."""


class MissingCapabilityError(TainError, TypeError):
    """A component was asked for something that it cannot do."""


class NoMirrorMapError(TainError, LookupError):
    """No installed plugin offers a mirror map for a constraint."""


class OutsideSetError(TainError, ValueError):
    """A mirror map was given points outside the set of its constraint."""


class ShapeError(TainError, ValueError):
    """A tensor has another shape than the component takes."""


class DataError(TainError, ValueError):
    """A data file, or a row or column of it, cannot be used."""


class TrainingError(TainError, RuntimeError):
    """Training cannot go on."""


class CheckpointError(TainError, ValueError):
    """A checkpoint is missing, truncated, foreign or does not fit."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known names nearest to `name`, as a sentence with a leading blank; if none is near, at ten of all.

    >>> nearest("simplx", ["simplex", "box"])
    ' Did you mean: simplex?'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f" Did you mean: {', '.join(close)}?"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f" Known: {', '.join(names[:10])}{more}." if names else ""


def one_line(text: str, most: int = 100) -> str:
    """`text` on one line of at most that many characters, to stand within a message.

    >>> one_line("Ball(\\n  radius=1.0\\n)")
    'Ball( radius=1.0 )'
    """
    joined = " ".join(text.split())
    return joined if len(joined) <= most else f"{joined[: most - 3]}..."
