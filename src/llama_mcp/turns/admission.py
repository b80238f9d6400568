"""Whether an owner may begin one more turn: how many are under way, and what the day has taken.

It is asked before anything is archived, and before a llama-server is started for it.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from llama_mcp.callers import Limits
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.texts import seconds_since, utc_text
from llama_mcp.turns.errors import DayIsSpentError, TooManyTurnsError

DAY_SECONDS = 24 * 60 * 60.0


class OpenTurn(Protocol):
    """What is known of a turn under way."""

    session_id: str
    owner: str


class Admission:
    """Lets owners begin turns within their limits."""

    def __init__(self, archive: Archive, open_turns: Callable[[], Sequence[OpenTurn]]) -> None:
        self._archive = archive
        self._open_turns = open_turns
        # By owner, the calls that were let in and whose turns are not under way yet.
        self._beginning: Counter[str] = Counter()

    @asynccontextmanager
    async def beginning(self, owner: str, limits: Limits) -> AsyncIterator[None]:
        """Let an owner begin a turn within the context.

        Raises:
            TooManyTurnsError: as many are under way as the owner may have.
            DayIsSpentError: its turns of the last 24 hours took as many tokens as they may.
        """
        sessions = [turn.session_id for turn in self._open_turns() if turn.owner == owner]
        count = len(sessions) + self._beginning[owner]
        if limits.turns_at_once is not None and count >= limits.turns_at_once:
            raise TooManyTurnsError(limits.turns_at_once, sessions)
        self._beginning[owner] += 1
        try:
            if limits.tokens_a_day is not None:
                await self._check_day(owner, limits.tokens_a_day)
            yield
        finally:
            self._beginning[owner] -= 1
            if not self._beginning[owner]:
                del self._beginning[owner]

    async def _check_day(self, owner: str, limit: int) -> None:
        spent = await self._archive.spent_since(owner, utc_text(time.time() - DAY_SECONDS))
        last = spent.last_in_the_way(limit)
        if last is not None:
            seconds = DAY_SECONDS - seconds_since(last)
            raise DayIsSpentError(limit, spent.total, max(0.0, seconds))
