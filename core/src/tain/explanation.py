"""Which samples of a batch break a rule, by how much: for people and programs."""

import attrs

__all__ = ["Explanation"]


@attrs.frozen
class Explanation:
    """Which samples of a batch break a rule. As a string, a sentence that names the first of them.

    Attributes:
        rule: name of the rule.
        count: number of samples looked at.
        rows: indices of the samples outside.
        distances: their distances to the set.
        tolerance: the distance up to which a sample counts as inside.
    """

    rule: str
    count: int
    rows: tuple[int, ...]
    distances: tuple[float, ...]
    tolerance: float

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.rule}: all {self.count} samples are inside (tolerance {self.tolerance:.3g})."
        worst = sorted(zip(self.rows, self.distances, strict=True), key=lambda pair: -_rank(pair[1]))[:5]
        named = ", ".join(f"row {row} by {distance:.3g}" for row, distance in worst)
        more = f" and {len(self.rows) - len(worst)} more" if len(self.rows) > len(worst) else ""
        return (
            f"{self.rule}: {len(self.rows)} of {self.count} samples are outside, the worst {named}{more} "
            f"(tolerance {self.tolerance:.3g})."
        )


def _rank(distance: float) -> float:
    return distance if distance == distance else float("inf")  # NaN is the worst of all
