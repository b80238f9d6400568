"""One request to llama-server, shared by all callers that ask at about the same time.

llama-server is asked one thing at a time, and not again while the last answer is fresh, however
many clients watch it.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Answer]):
    about: Hashable
    asked_at: float
    answer: Answer


class SharedAnswer(Generic[Answer]):
    """The last answer to one question, kept for max_age_seconds."""

    def __init__(self, max_age_seconds: float) -> None:
        self._max_age_seconds = max_age_seconds
        self._one_at_a_time = anyio.Lock()
        self._kept: _Kept[Answer] | None = None

    async def get(self, about: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the cached answer if it is fresh, else ask once; concurrent callers share that.

        Args:
            about: what the question is about; an answer about something else is not fresh.
            ask: asks. What it raises goes to its caller; the next caller asks again.
        """
        async with self._one_at_a_time:
            asked_at = anyio.current_time()
            kept = self._kept
            if (
                kept is not None
                and kept.about == about
                and asked_at - kept.asked_at <= self._max_age_seconds
            ):
                return kept.answer
            answer = await ask()
            self._kept = _Kept(about, asked_at, answer)
            return answer
