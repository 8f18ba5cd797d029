"""Writing files so that a reader sees the old one or the new one, whole, whatever happens in between."""

import contextlib
import os
from pathlib import Path

__all__ = ["beside", "write_bytes", "write_text"]


def beside(path: Path) -> Path:
    """A new hidden name in the folder of `path`, to write under before renaming to `path`.

    Not from `tempfile`, whose files only their owner may read: results are to have the permissions of any new file.
    """
    return path.parent / f".{path.name}.{os.urandom(4).hex()}.tmp"


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, flush it to the disk, and rename it over `path`."""
    temporary = beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_text(path: Path, content: str) -> None:
    """The same for text, in UTF-8."""
    write_bytes(path, content.encode("utf-8"))
