"""Writes docs/reference/mutants.md: which check kills which mutant. Run: python tests/mutants/table.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import correct
import wrong_constraints
import wrong_mirror_maps
import wrong_models
from mutant import MUTANTS

import tain.testing

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mutants.md"
PROFILE = tain.testing.Profile("mutants", 3, shrink=False)
HEAD = """# Mutants

Are the checks of [`tain.testing`](testing.md) any good? `tests/mutants` holds {count} components that are wrong, each
in one way that happens, made from small correct ones. Every mutant must fail a check, every check must catch a mutant,
and the correct ones must pass all. `python tests/mutants/table.py` writes this page, and a test compares the two.
"""
__all__ = ["correct", "wrong_constraints", "wrong_mirror_maps", "wrong_models"]


def kills():
    """The checks that each mutant fails."""
    correct.register()
    for m in MUTANTS:
        m.register()
    return {m.name: tuple(tain.testing.run_checks(m.component, profile=PROFILE).failed) for m in MUTANTS}


def page(found):
    """The page for what was found."""
    lines = [HEAD.format(count=len(MUTANTS))]
    for kind in ("constraint", "mirror-map", "generator", "solver"):
        lines += [f"## Of kind {kind}\n", "| mutant | what is wrong | caught by |", "| --- | --- | --- |"]
        for m in MUTANTS:
            if m.kind == kind:
                lines.append(f"| {m.name} | {m.fault} | {', '.join(found[m.name])} |")
        lines.append("")
    lines += ["## Mutants caught by each check\n", "| check | mutants |", "| --- | --- |"]
    for check in tain.testing.all_checks():
        lines.append(f"| {check.name} | {sum(check.name in failed for failed in found.values())} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(kills()))
