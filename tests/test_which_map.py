"""The pictures of "Which map for which set": the command that draws them works, and draws those that the page shows."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pictures_of_all_maps(tmp_path):
    script = ROOT / "docs" / "images" / "which_map.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    drawn = {path.name for path in tmp_path.glob("*.png")}
    page = (ROOT / "docs" / "reference" / "which-map.md").read_text()
    assert drawn == set(re.findall(r"\(\.\./images/maps/(.*?)\)", page))
    assert drawn == {path.name for path in (ROOT / "docs" / "images" / "maps").glob("*.png")}
