"""Rows of figures: ours beside a baseline of the same run, two equal builds beside each other.

Ours and its baseline are measured by turns and compared pair by pair: what else the machine does
troubles both alike, and the median of the pairs counts. Where two equal builds were measured, by
how much they differ says how far a figure can be trusted.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

# `slow` is what nine of ten values do not exceed: what holds every time shows there.
Measured = Literal["value", "slow", "added", "ratio"]
# A run is cut into so many parts; the two equal builds are compared in each.
_PARTS = 4


@dataclass(frozen=True)
class Goal:
    """What a figure should be: ours, the slow ones of ours, ours less the baseline, or their ratio.

    Without a limit it says only which of them counts.
    """

    of: Measured
    at_most: float | None = None
    at_least: float | None = None

    def judge(self, value: float, unit: str) -> str:
        """Return the figure, and the goal and whether it is met if there is one, in words."""
        suffix = "" if self.of == "ratio" else f" {unit}"
        figure = f"{self.of} {value:.3g}{suffix}"
        if self.at_most is None and self.at_least is None:
            return figure
        limit = self.at_most if self.at_most is not None else self.at_least
        bound = "at most" if self.at_most is not None else "at least"
        is_met = value <= self.at_most if self.at_most is not None else value >= (limit or 0)
        return f"{figure}, {bound} {limit:g}: {'met' if is_met else 'MISSED'}"


@dataclass
class Row:
    """One measured thing: its values, round by round, beside those of its baseline.

    `twin` holds the values of a second build that is equal to ours, where there is one.
    """

    name: str
    unit: str = "ms"
    goals: Sequence[Goal] = ()
    ours: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)
    twin: list[float] = field(default_factory=list)

    @property
    def of(self) -> Measured:
        """What about it is kept and compared: what its first goal is about."""
        if self.goals:
            return self.goals[0].of
        return "added" if self.baseline else "value"

    @property
    def more_is_better(self) -> bool:
        """Whether a figure that grows is good news."""
        return any(goal.at_least is not None for goal in self.goals) or self.unit.endswith("/s")

    def add(self, ours: float, baseline: float | None = None, twin: float | None = None) -> None:
        """Add what one round has measured."""
        self.ours.append(ours)
        if baseline is not None:
            self.baseline.append(baseline)
        if twin is not None:
            self.twin.append(twin)

    def figure(self, of: Measured) -> float:
        """Return the median of the values, or of the pairs' differences or ratios, or `slow`."""
        return _figure(of, [*self.ours, *self.twin], [*self.baseline, *self.baseline])

    def spread(self, of: Measured) -> float | None:
        """Return by how much the two equal builds differ at most in any part of the run.

        None where there was one build only.
        """
        size = max(1, len(self.twin) // _PARTS)
        parts = [slice(at, at + size) for at in range(0, len(self.twin) - size + 1, size)]
        pairs = [(self.ours[part], self.twin[part], self.baseline[part]) for part in parts]
        return max(
            (abs(_figure(of, ours, base) - _figure(of, twin, base)) for ours, twin, base in pairs),
            default=None,
        )


def _figure(of: Measured, ours: Sequence[float], baseline: Sequence[float]) -> float:
    pairs = list(zip(ours, baseline, strict=False))
    if of == "ratio":
        return statistics.median(ours / baseline for ours, baseline in pairs)
    if of == "added":
        return statistics.median(ours - baseline for ours, baseline in pairs)
    if of == "slow":
        return sorted(ours)[int(len(ours) * 0.9)]
    return statistics.median(ours)


@dataclass(frozen=True)
class Table:
    """Rows that have one baseline."""

    title: str
    baseline: str
    rows: Sequence[Row]

    def print(self) -> None:
        """Print a line for each row that has been measured."""
        print_table(self.title, self.baseline, self.rows)


def print_table(title: str, baseline: str, rows: Sequence[Row]) -> None:
    """Print a line for each row that has been measured: medians, ratio, spread, goals.

    The spread is that of the two equal builds, in what the row's first goal is about.
    """
    print(f"\n{title}; the baseline is {baseline}")
    print(f"{'median':58}{'unit':>7}{'baseline':>10}{'ours':>10}{'ratio':>7}{'spread':>8}  goal")
    for row in rows:
        if not row.ours:
            continue
        other = f"{statistics.median(row.baseline):.4g}" if row.baseline else ""
        ratio = f"{row.figure('ratio'):.2f}" if any(row.baseline) else ""
        apart = row.spread(row.of)
        spread = "" if apart is None else f"{apart:.2g}"
        judged = "; ".join(goal.judge(row.figure(goal.of), row.unit) for goal in row.goals)
        ours = f"{row.figure('value'):.4g}"
        line = f"{row.name:58}{row.unit:>7}{other:>10}{ours:>10}{ratio:>7}{spread:>8}  {judged}"
        print(line.rstrip(), flush=True)
