"""What turns took in tokens, and when they count no longer; pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpentTokens:
    """What each turn took, read and written, with the time of its end; oldest first."""

    turns: Sequence[tuple[str, int]] = ()

    @property
    def total(self) -> int:
        """What they took together."""
        return sum(tokens for _, tokens in self.turns)

    def last_in_the_way(self, limit: int) -> str | None:
        """Return the end of the last turn that has to be forgotten until the rest is below it.

        None when it is below it already.
        """
        left = self.total
        last = None
        for ended_at_utc, tokens in self.turns:
            if left < limit:
                break
            left, last = left - tokens, ended_at_utc
        return last
