"""A fresh virtual environment, for tests that install packages."""

import site
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def fresh_python(tmp_path: Path) -> str:
    """The Python of a new environment, in which only what a test installs is new.

    torch and the rest come from the environment of these tests, since fetching them again would take minutes.
    """
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = next(path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists())
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    home = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    lines = [f"import site; site.addsitedir({place!r})" for place in site.getsitepackages()]
    (Path(home) / "dependencies.pth").write_text("\n".join(lines) + "\n")
    return str(python)
