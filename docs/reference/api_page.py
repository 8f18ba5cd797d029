"""Writes docs/reference/api.md, and the hooks of docs/reference/hooks.md. Run: python docs/reference/api_page.py"""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from signatures import assignment, first_sentence, members, signature

import tain
from tain import hookspecs

FOLDER = Path(__file__).parent
HEAD = """# The interface of tain

Every public name of `tain`, with its signature and the first sentence of its docstring; `help(tain.Constraint)` shows
the rest. A class also has the methods of the classes in its brackets, which are not listed again. What may change, and
how, is said in [hooks](hooks.md#what-stays). `python docs/reference/api_page.py` writes this page, and a test compares
the two.
"""
TOPICS = {
    "Rules": "constraints functions explanation",
    "Mirror maps": "mirror_maps learned mirror_search",
    "Generators": "generators mirrored",
    "Solvers and their problems": "solvers",
    "Rules and maps that are made of others": "capabilities blocks blocks_mirror both preimage affine chain refined",
    "Components by name": "catalogue",
    "Plugins": "hookspecs component one_off",
    "Configuration": "configured fields",
    "Checkpoints": "checkpoint",
    "Errors": "errors",
}


def api() -> str:
    """The page of all public names."""
    if strangers := sorted(set(tain._HOME) - set(" ".join(TOPICS.values()).split())):
        raise LookupError(f"{', '.join(strangers)} has no topic: add it to TOPICS in {Path(__file__).name}")
    lines = [HEAD]
    for topic, modules in TOPICS.items():
        lines.append(f"## {topic}\n")
        for module in modules.split():
            for name in tain._HOME[module].split():
                lines += described(name, f"tain.{module}")
        lines.append("")
    return "\n".join(lines)


def described(name: str, module: str) -> list[str]:
    """The lines on one public name."""
    value = getattr(import_module(module), name)
    if not inspect.isclass(value):
        called = inspect.isfunction(inspect.unwrap(value))
        text, sentence = (signature(value), first_sentence(value)) if called else assignment(module, name)
        return [f"- `{text}`: {sentence}"]
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    lines = [f"- `class {name}{f'({bases})' * bool(bases)}`: {first_sentence(value)}"]
    if not issubclass(value, Exception) and inspect.signature(value).parameters:
        lines.append(f"  - `{signature(value)}`")
    return lines + [f"  - `{text}`: {sentence}" for text, sentence in members(value).items()]


def hooks() -> str:
    """The page of hooks, with the list of them made anew."""
    found = [hook for name, hook in vars(hookspecs).items() if name.startswith("tain_")]
    lines = "".join(f"- `{signature(hook)}`: {first_sentence(hook)}\n" for hook in found)
    return re.sub(r"(- `tain_.*\n)+", lambda _: lines, (FOLDER / "hooks.md").read_text())


PAGES = {FOLDER / "api.md": api, FOLDER / "hooks.md": hooks}

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page())
