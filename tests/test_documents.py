"""Every block of the README and the docs is tried, in order, each page as one session in an empty folder.

Python blocks run as one program; `$ tain ...` lines of console blocks run as commands and must end as the page says;
a TOML block that starts with a comment of a file name is saved as that file. The tutorial on plugins installs packages,
so it has a test of its own.
"""

import re
import shlex
from pathlib import Path

import pytest

from tain_lab.command import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRIED_HERE = [page for page in PAGES if page.name != "tutorial-plugin.md"]


def run_console(block: str) -> None:
    for line in block.splitlines():
        assert line.startswith("$ tain "), f"cannot try {line!r}"
        command, _, remark = line.partition("  # exit code ")
        assert main(shlex.split(command)[2:]) == int(remark or 0), line


def save(block: str) -> None:
    if name := re.match(r"# (\S+\.toml)\n", block):
        Path(name[1]).write_text(block)


@pytest.mark.parametrize("page", TRIED_HERE, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    namespace: dict[str, object] = {}
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.DOTALL):
        match language:
            case "python":
                exec(compile(block, str(page), "exec"), namespace)
            case "console":
                run_console(block)
            case "toml":
                save(block)
            case _:
                pytest.fail(f"no test tries {language} blocks")


def test_every_link_within_the_repository_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_the_reference_lists_every_key_of_an_experiment_with_its_default():
    from tain import parameters
    from tain_lab.experiment import DataSettings, Experiment, SampleSettings
    from tain_lab.settings import Settings

    text = (ROOT / "docs" / "reference" / "experiment-files.md").read_text()
    for record in (Experiment, DataSettings, Settings, SampleSettings):
        for parameter in parameters(record):
            assert f"`{parameter.name}`" in text or f"`[{parameter.name}]`" in text, parameter.name
            if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool):
                assert re.search(rf"\| `{parameter.name}` \|[^|]*\| {parameter.default:g} \|", text) or re.search(
                    rf"\| `{parameter.name}` \|[^|]*\| {parameter.default} \|", text
                ), parameter.name
