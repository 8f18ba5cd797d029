"""Pictures of a dual training: how multipliers and slacks went."""

from tain import Solution

__all__ = ["draw_histories"]

_COLOURS = ("#0f6fc6", "#d9822b", "#2a9d6f", "#8b5fbf", "#b03a48", "#5b6472")


def draw_histories(solution: Solution) -> bytes:
    """The multipliers and the slacks of a solution of `DualTraining`, one above the other over the training. PNG.

    Args:
        solution: what `DualTraining.solve` gave. A slack below 0 is a broken rule.
    """
    from matplotlib.figure import Figure

    from tain_lab.pictures import as_png

    statistics = solution.statistics
    steps, figure = statistics["steps"], Figure(figsize=(6.4, 4.4), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for axes, key in ((above, "multipliers"), (below, "slacks")):
        for index, (rule, history) in enumerate(zip(statistics["rules"], statistics[key].T, strict=True)):
            axes.plot(steps, history, color=_COLOURS[index % len(_COLOURS)], linewidth=1.2, label=rule.name)
        axes.set_ylabel(key)
    below.axhline(0, color="#5b6472", linewidth=0.8)
    below.set_xlabel("training step")
    if statistics["rules"]:
        above.legend(loc="best", fontsize=8, frameon=False)
    above.set_title(f"verdict: {statistics['verdict']}", fontsize=10, loc="left")
    return as_png(figure)
