"""`pytest --tain-conformance`, in processes of their own, with plugins that are truly installed there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tain
from tain.testing.gaussian import Anything

GOOD = """
    import tain

    @tain.hookimpl
    def tain_constraints():
        import torch

        class Cap(tain.Projectable):
            event_ndim = 1
            event_shape = (2,)
            def __init__(self, most: float):
                super().__init__()
                self.most = most
            def distance(self, x):
                return (x - self.most).relu().sum(1)
            def project(self, x):
                return x.clamp(max=self.most)

        class Needy(Cap):
            pass

        class Wrong(Cap):
            def __init__(self, most: float = 1.0):
                super().__init__(most)
            def project(self, x):
                return x.clamp(max=self.most - 0.1)

        def broken():
            raise RuntimeError("no such file")

        yield tain.Component("cap", Cap, examples=lambda: [Cap(1.0), Cap(2.0)])
        yield tain.Component("needy", Needy)
        yield tain.Component("wrong", Wrong)
        yield tain.Component("failing", Cap, examples=broken)
"""


def conformance(site, *options, cwd):
    paths = os.pathsep.join([str(site.folder), *sys.path])
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "TAIN_TESTING_PROFILE": "quick",
        "TAIN_BLOCK": "tain-analytic,tain-diffusion,tain-lab",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rsfE", "-v", *options]
    ran = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return " ".join(ran.stdout.split())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_own.py").write_text("def test_own():\n    pass\n")
    return tmp_path / "tests"


def test_every_component_is_tested_through_its_examples(site, folder):
    site.add("tain-caps", GOOD)
    site.add("tain-gone", "import no_such_module\n")
    out = conformance(site, "--tain-conformance", "-k", "tain-caps or tain-gone", cwd=folder)
    assert "test_conformance[tain-caps-constraint-cap0-projection-is-nearest] PASSED" in out
    assert "test_conformance[tain-caps-constraint-cap1-distance-is-not-negative] PASSED" in out
    assert "test_conformance[tain-caps-constraint-wrong-projection-is-nearest] FAILED" in out
    assert "the constraint 'needy' of tain-caps has no examples, and its constructor needs most" in out
    assert "the constraint 'failing' of tain-caps: its examples cannot be made (RuntimeError: no such file)" in out
    assert "tain-gone 1.0 is broken (loading: ModuleNotFoundError: No module named 'no_such_module')" in out
    assert "test_own" not in out


def test_own_combinators_pass_and_other_paths_are_kept(site, folder):
    out = conformance(site, "test_own.py", "--tain-conformance", "-k", "test_own or (tain- and chain)", cwd=folder)
    assert "test_own.py::test_own PASSED" in out
    assert "test_conformance[tain-mirror-map-chain-inverse-undoes-forward] PASSED" in out
    assert " failed" not in out


def test_the_how_to_is_a_test_file_that_passes(site, folder):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "test-a-component.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (folder / "test_page.py").write_text("\n".join(blocks))
    out = conformance(site, "test_page.py", cwd=folder)
    assert "test_concentrations[Concentrations1-projection-is-nearest] PASSED" in out
    assert "TestConcentrations::test_check[Concentrations-projection-is-nearest] PASSED" in out
    assert "test_unbounded[Unbounded-finite-for-any-image] XFAIL" in out
    assert "3 xfailed" in out
    assert " failed" not in out


def test_examples_are_a_function():
    with pytest.raises(tain.ConfigurationError, match="given examples of list, but must be given a function"):
        tain.Component("cap", Anything, examples=[Anything()])


def test_without_the_option_nothing_is_collected(site, folder):
    out = conformance(site, cwd=folder)
    assert "1 passed" in out
