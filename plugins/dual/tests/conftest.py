"""Models whose optimum is known, for all tests of this folder."""

import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("tain", deadline=None)  # a busy machine is no failure
settings.load_profile("tain")

sys.path.insert(0, str(Path(__file__).parent))
try:
    import exact_models  # noqa: F401 (tests import it by name)
finally:
    sys.path.pop(0)
