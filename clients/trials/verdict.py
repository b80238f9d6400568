"""Decides what the runs of one kind come to: whether one more is made, and what is held against us.

Some programs wait five seconds as they ship, and end when a machine that other work shares takes
longer for a moment. So a run that is not as promised is made again, and when none ever is, that
counts only if the machine had time in one of them. What a run leaves behind always counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clients.trials.judging import Finding
from clients.trials.yardstick import BUSY_SECONDS

MOST_RUNS = 3
# When the runs of one kind have taken so long, there is no other.
ENOUGH_SECONDS = 150


@dataclass(frozen=True)
class Attempt:
    """One run.

    Attributes:
        found: The cells that it gives.
        is_late: Whether it took as long as it may.
        yardstick_seconds: What the yardstick took after a run that was not as promised.
        seen: What happened in such a run.
    """

    found: tuple[Finding, ...]
    is_late: bool = False
    yardstick_seconds: float = 0
    seen: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether all was as promised."""
        return all(finding.is_right for finding in self.found)

    @property
    def left_something(self) -> bool:
        """Whether something of ours was left behind."""
        return any(finding.is_leftover for finding in self.found)

    def wrong(self) -> str:
        """Say in one line what was not as promised, and how slow the machine was."""
        told = [f"{each.column}: {each.said}" for each in self.found if not each.is_right]
        yardstick = f"the SDK's import took {self.yardstick_seconds:.1f} s"
        return "; ".join([*told, yardstick])


def is_final(attempts: Sequence[Attempt], taken_seconds: float) -> bool:
    """Tell whether no other run is made."""
    if not attempts:
        return False
    last = attempts[-1]
    is_over = len(attempts) == MOST_RUNS or taken_seconds >= ENOUGH_SECONDS
    return is_over or last.is_right or last.is_late or last.left_something


def is_failure(attempts: Sequence[Attempt]) -> bool:
    """Tell whether the runs of one kind count as failed."""
    if attempts[-1].is_right:
        return False
    had_time = any(attempt.yardstick_seconds < BUSY_SECONDS for attempt in attempts)
    return had_time or attempts[-1].left_something


def is_unjudged(attempts: Sequence[Attempt]) -> bool:
    """Tell whether none was as promised, and the machine too busy to say why."""
    return not attempts[-1].is_right and not is_failure(attempts)


def remarks(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield lines for below a row: what was not as promised in any of the runs."""
    for attempt in attempts:
        if not attempt.is_right:
            yield f"    a run was not as promised: {attempt.wrong()}"
