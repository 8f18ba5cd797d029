"""The command that tests each plugin alone tells which of them lean on something that they do not name.

It is run once, on a workspace of plugins that take no time, with a core that only stands for tain's.
"""

import importlib.metadata
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

CORE = """
[project.optional-dependencies]
testing = ["pytest"]
[project.entry-points.pytest11]
tain = "tain.kit"
"""
KIT = """
def pytest_addoption(parser):
    parser.addoption("--tain-conformance", action="store_true")


def pytest_configure(config):
    if config.getoption("tain_conformance"):
        config.args = [__file__.replace("kit.py", "conformance_tests.py")]
"""
CONFORMANCE = """
import pytest


@pytest.mark.parametrize("case", range(2))
def test(case): ...
"""
ALONE = """
import importlib.util
from pathlib import Path

import pytest

import {module}


def test_source_is_far_away():
    assert Path({module}.__file__).parts[-3] == "site-packages"
    assert not (Path(__file__).parents[1] / "src").exists()


def test_only_what_is_named_is_here():
    assert [n for n in {names!r} if importlib.util.find_spec(n)] == {here!r}


@pytest.mark.parametrize("case", range(3))
def test_cases(case): ...


@pytest.mark.skip(reason="skipped tests are counted too")
def test_later(): ...
"""
HIDDEN = """
def test_sibling():
    __import__("tain_" + "alone")


def test_library():
    __import__("flit_" + "core")
"""
NAMES = ["tain", "tain_alone", "tain_heir", "attrs", "flit_core", "numpy", "packaging"]


def write(folder, name, *, source="", test="", needs=("tain",), more=""):
    """A distribution that flit can build."""
    module = name.replace("-", "_")
    for path, text in {
        "pyproject.toml": f'[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = "of a test"\ndependencies = {list(needs)}\n{more}',
        f"src/{module}/__init__.py": source,
        f"tests/test_{module}.py": test,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A workspace in which some plugins stand alone and others do not."""
    root = tmp_path_factory.mktemp("workspace")
    (root / "docs").mkdir()
    (root / "pyproject.toml").write_text('[tool.pytest]\nfilterwarnings = ["error"]\n')
    (root / "constraints.txt").write_text("")
    write(root / "core", "tain", test="def test(): ...", needs=(), more=CORE)
    (root / "core/src/tain/kit.py").write_text(KIT)
    (root / "core/src/tain/conformance_tests.py").write_text(CONFORMANCE)
    here = ["tain", "tain_alone", "packaging"]
    alone, heir = (
        ALONE.format(module=m, names=NAMES, here=h)
        for m, h in (("tain_alone", here), ("tain_heir", [*NAMES[:4], "packaging"]))
    )
    plugins = {
        "alone": {"test": alone},
        "heir": {"test": heir, "source": "import attrs\nimport tain_alone", "needs": ("tain", "tain-alone", "attrs")},
        "sibling": {"test": "def test():\n    import tain_alone"},
        "skipping": {"test": "import pytest\n\npytest.importorskip('tain_alone')"},
        "library": {"source": "def later():\n    from flit_core import buildapi"},
        "hidden": {"test": HIDDEN},
        "nowhere": {"needs": ("tain", "a-package-that-nobody-has")},
        "newer": {"needs": ("tain", "attrs >=9999")},
        "empty": {},
    }
    for name, parts in plugins.items():
        write(root / "plugins" / name, f"tain-{name}", **parts)
    return root


@pytest.fixture(scope="module")
def isolation():
    """The command's module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import isolation

        yield isolation
    for name in [name for name in sys.modules if name.partition(".")[0] in ("isolation", "isolated")]:
        del sys.modules[name]


def run(isolation, *arguments):
    """The exit code of the command, and what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = isolation.main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def told(isolation, root):
    """What the command tells of each distribution of the workspace, when run on all of them."""
    code, out, err = run(isolation, "--root", root, "--borrow", "--jobs", 2)
    assert code == 1
    names = [f"tain-{path.name}" for path in (root / "plugins").iterdir()] + ["tain"]
    lines, last = {}, ""
    for line in out.splitlines():
        last = next((name for name in names if line.startswith(f"{name}: ")), last)
        lines[last] = lines.get(last, "") + f"{line}\n"
    assert sorted(lines) == sorted(names)
    failed = sorted(name for name, text in lines.items() if "FAILED" in text)
    assert err.startswith("isolation: ")
    assert sorted(err.removeprefix("isolation: ").removesuffix(" failed\n").split(", ")) == failed
    return lines


@pytest.mark.parametrize(
    ("name", "counts"),
    [("tain", "1 passed, 0 skipped"), ("tain-alone", "5 passed, 1 skipped"), ("tain-heir", "5 passed, 1 skipped")],
)
def test_what_stands_alone_passes(told, name, counts):
    assert told[name].startswith(f"{name}: tests {counts}; conformance 2 passed, 0 skipped (")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sibling", "tests/test_tain_sibling.py:2 imports tain_alone, but pyproject.toml does not name tain-alone"),
        ("skipping", "tests/test_tain_skipping.py:3 imports tain_alone, but pyproject.toml does not name tain-alone"),
        ("library", "src/tain_library/__init__.py:2 imports flit_core, but pyproject.toml does not name flit-core"),
        ("hidden", "ModuleNotFoundError: No module named 'tain_alone'"),
        ("hidden", "ModuleNotFoundError: No module named 'flit_core'"),
        ("nowhere", "a-package-that-nobody-has is needed, but not installed here, so it cannot be borrowed"),
        ("newer", "tain-newer 1.0 has requirement attrs>=9999, but you have attrs "),
        ("empty", "no tests ran"),
    ],
)
def test_what_does_not_is_told_with_its_reason(told, name, message):
    assert f"tain-{name}: FAILED: " in told[f"tain-{name}"]
    assert message in told[f"tain-{name}"]


def test_smoke_is_the_first_case_of_each_test(isolation, root):
    code, out, _ = run(isolation, "--root", root, "--borrow", "--smoke", "alone")
    assert code == 0
    assert out.startswith("tain-alone: tests 3 passed, 1 skipped; conformance 2 passed, 0 skipped (")


def test_a_stranger_in_the_environment_is_found(isolation, tmp_path):
    from isolated.workspace import IsolationError

    environment = isolation.Environment(tmp_path)
    for name, entry in {"tain-alone": "", "tain": "", "flux": "[tain]\nflux = flux", "tainted": ""}.items():
        info = environment.site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry)
    environment.require_only(["flux", "tain", "tain-alone"])
    for missing in ("flux", "tain", "tain-alone"):
        named = {"flux", "tain", "tain-alone"} - {missing}
        with pytest.raises(IsolationError, match=f"^{missing} is installed beside it, though no metadata name it$"):
            environment.require_only(sorted(named))


def test_a_folder_that_others_share_is_not_borrowed_with_their_files(isolation, tmp_path, monkeypatch):
    home = tmp_path / "home"
    for name, files in {"lent": ["shared/lent.py", "own/deep/lent.py"], "kept": ["shared/kept.py"]}.items():
        info = f"{name}-1.0.dist-info"
        for file in (*files, f"{info}/METADATA", f"{info}/RECORD"):
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            (home / file).write_text("")
        (home / info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        record = [*files, f"{info}/METADATA", f"{info}/RECORD", f"../bin/{name}"]
        (home / info / "RECORD").write_text("".join(f"{file},,\n" for file in record))
    monkeypatch.syspath_prepend(home)
    environment = isolation.Environment(tmp_path / "environment")
    environment._borrow([importlib.metadata.distribution("lent")])
    assert sorted(path.name for path in environment.site.iterdir()) == ["lent-1.0.dist-info", "own", "shared"]
    assert (environment.site / "own").is_symlink()
    assert (environment.site / "own" / "deep" / "lent.py").is_file()
    assert [path.name for path in (environment.site / "shared").iterdir()] == ["lent.py"]


def git(root, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("core/src/tain/__init__.py", ["tain", "tain-alone", "tain-heir"]),
        ("plugins/alone/tests/new.py", ["tain-alone", "tain-heir"]),
        ("plugins/heir/pyproject.toml", ["tain-heir"]),
        ("constraints.txt", ["tain", "tain-alone", "tain-heir"]),
        ("plugins/README.md", []),
        ("docs/page.md", []),
    ],
)
def test_what_changed_is_tested_with_what_names_it(isolation, tmp_path, path, expected):
    write(tmp_path / "core", "tain", needs=())
    write(tmp_path / "plugins/alone", "tain-alone")
    write(tmp_path / "plugins/heir", "tain-heir", needs=("tain-alone",))
    (tmp_path / ".gitignore").write_text("wheels\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    projects = isolation.build(tmp_path, tmp_path / "wheels")
    assert isolation.changed(tmp_path, "HEAD", projects) == []
    (tmp_path / path).parent.mkdir(exist_ok=True)
    with (tmp_path / path).open("a") as file:
        file.write("# changed\n")
    assert sorted(project.name for project in isolation.changed(tmp_path, "HEAD", projects)) == expected
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "second")
    assert sorted(project.name for project in isolation.changed(tmp_path, "HEAD~1", projects)) == expected


def test_mistakes_end_with_two_and_one_line(isolation, root, tmp_path):
    code, out, err = run(isolation, "--root", root, "fluxx")
    assert (code, out) == (2, "")
    assert err.startswith("isolation: there is no plugin fluxx, but alone, core, ")
    code, _, err = run(isolation, "--root", root, "--changed", "no-such-revision")
    assert code == 2
    assert err.startswith("isolation: git cannot tell what changed since 'no-such-revision': ")
    for wrong in (["--jobs", "0"], ["alone", "--changed", "HEAD"]):
        with pytest.raises(SystemExit, match="2"):
            run(isolation, *wrong)
    write(tmp_path / "core", "tain", more="nonsense = 1")
    code, _, err = run(isolation, "--root", tmp_path)
    assert code == 2
    assert err.startswith(
        f"isolation: the wheel of {tmp_path / 'core'} cannot be built (flit_core.config.ConfigError: "
    )
