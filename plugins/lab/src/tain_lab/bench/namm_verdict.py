"""Which goals of the bench namm are reached, and by how much the others are missed."""

from collections.abc import Iterable, Sequence

from tain_lab.bench.record import Figures

__all__ = ["EXACT", "MMD_OF_EXACT", "MMD_OF_LEARNED", "improvement", "verdict"]

EXACT = 1e-5
"""Largest relative distance of samples of an exact map."""

MMD_OF_EXACT, MMD_OF_LEARNED = 1.1, 1.2
"""Largest MMD, in those of the baseline."""


def improvement(figures: Figures, method: str) -> float:
    """How much nearer to the set samples are than the baseline's, on average, in percent.

    >>> improvement({"methods": {"baseline": {"mean": 0.5}, "NAMM": {"mean": 0.125}}}, "NAMM")
    75.0
    """
    base, found = (figures["methods"][key]["mean"] for key in ("baseline", method))
    return float(100 * (base - found) / base)


def verdict(all_figures: Sequence[Figures]) -> str:
    """One sentence for each goal: of how many rules it is reached, and what the others reach instead."""
    exact = [figures for figures in all_figures if "exact map" in figures["methods"]]
    told = [
        _told(
            "NAMM finetuned: the paper's improvement over the baseline is",
            (_at_least(figures, "NAMM finetuned", figures["goal"]["finetuned"]) for figures in all_figures),
        ),
        _told(
            "refined: the improvement wanted is",
            (_at_least(figures, "NAMM refined", figures["goal"]["refined"]) for figures in all_figures),
        ),
        _told(
            f"NAMM finetuned and refined: MMD of at most {MMD_OF_LEARNED} times the baseline's is",
            (_mmd(figures, ("NAMM finetuned", "NAMM refined"), MMD_OF_LEARNED) for figures in all_figures),
        ),
    ]
    if exact:
        told += [
            _told(f"exact map: a relative distance of at most {EXACT:g} is", map(_kept, exact)),
            _told(
                f"exact map: MMD of at most {MMD_OF_EXACT} times the baseline's is",
                (_mmd(figures, ("exact map",), MMD_OF_EXACT) for figures in exact),
            ),
        ]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in told)


def _at_least(figures: Figures, method: str, percent: float) -> tuple[str, bool, str]:
    found = improvement(figures, method)
    return figures["rule"], found >= percent, f"{found:.3g}% of {percent:g}%"


def _kept(figures: Figures) -> tuple[str, bool, str]:
    relative = figures["relative"]["exact map"]
    return figures["rule"], relative <= EXACT, f"{relative:.1e}"


def _mmd(figures: Figures, methods: Iterable[str], most: float) -> tuple[str, bool, str]:
    """Compared without dividing, since the baseline's may be zero."""
    base, worst = figures["methods"]["baseline"]["MMD"], max(figures["methods"][key]["MMD"] for key in methods)
    return figures["rule"], worst <= most * base, f"{worst:.3g} of {most * base:.3g}"


def _told(goal: str, outcomes: Iterable[tuple[str, bool, str]]) -> str:
    outcomes = list(outcomes)
    missed = "; ".join(f"{rule} {told}" for rule, reached, told in outcomes if not reached)
    count = sum(reached for _, reached, _ in outcomes)
    return f"{goal} reached by {count} of {len(outcomes)} rules" + (f" (missed: {missed})" if missed else "")
