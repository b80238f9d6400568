"""Calls of chat, known again when they are made once more: one that was cut off is joined.

A client that gives up a call often makes it again, word for word. Whether the first caller is gone
can be known of a process that has ended; of one that lives nobody says it. There a call counts as
cut off when it is alone of its kind, has had no result, and is older than calls are that are made
side by side. One that its client cancels is over at once; the same call goes on with its turn
(reopening.py). What is asked again after an answer is asked on purpose.
"""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.turn import Turn

# No client known waits for less than five seconds; our own start may have taken some of them.
RETRY_SECONDS = 2.0
# So long after an answer the same call is known to have been answered.
REPEAT_SECONDS = 60.0
KEPT_CALLS = 64
JOINED = (
    "This call is the same as one that was cut off, and has joined its turn; no new turn was begun."
)


@dataclass(eq=False, slots=True)
class Asked:
    """A turn of this process, what was asked with it, and whether anybody has had a result."""

    digest: str
    turn: Turn
    asked_at: float = field(default_factory=anyio.current_time)
    answered_at: float | None = None
    callers: int = 1
    """Each one that joins takes the place of the one before."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of chat: the session whose last turn it waits for."""

    session_id: str
    owner: str
    asked: Asked | None
    """None for a turn that another process has begun."""
    number: int = 1

    @property
    def turn(self) -> Turn | None:
        """The turn, if this process has begun it."""
        return self.asked.turn if self.asked else None

    @property
    def is_joined(self) -> bool:
        """Whether an earlier call has begun the turn."""
        return self.asked is None or self.number > 1

    @property
    def is_latest(self) -> bool:
        """Whether no other call has joined the turn since."""
        return self.asked is None or self.number == self.asked.callers


class Calls:
    """The latest calls of chat of this process."""

    def __init__(self) -> None:
        self._latest: deque[Asked] = deque(maxlen=KEPT_CALLS)

    def note(self, digest: str, turn: Turn, callers: int = 1) -> Call:
        """Remember a call that has begun a turn, or is the second with one that was left behind."""
        now = anyio.current_time()
        known = (a for a in self._latest if not a.turn.is_over or _was_answered(a, now))
        asked = Asked(digest, turn, callers=callers)
        self._latest = deque([*known, asked], maxlen=KEPT_CALLS)
        return Call(turn.session_id, turn.owner, asked, callers)

    async def settle(self, digest: str) -> None:
        """Wait until turns of the same call are over whose clients are cancelling them."""
        for asked in self._latest:
            if asked.digest == digest:
                await asked.turn.wait_if_cancelled()

    def join(self, digest: str) -> Call | None:
        """Return a call that joins the turn of the same call before; None begins a turn."""
        now = anyio.current_time()
        alike = [asked for asked in self._latest if asked.digest == digest]
        if any(_was_answered(asked, now) for asked in alike):
            return None
        underway = [asked for asked in alike if not asked.turn.is_over]
        if len(underway) != 1 or now - underway[0].asked_at < RETRY_SECONDS:
            return None
        (asked,) = underway
        asked.callers += 1
        return Call(asked.turn.session_id, asked.turn.owner, asked, asked.callers)


def _was_answered(asked: Asked, now: float) -> bool:
    """Whether the call had its answer so lately that the same call means another turn."""
    return asked.answered_at is not None and now - asked.answered_at < REPEAT_SECONDS


def digest_of(request: ChatRequest) -> str:
    """Return what is the same for two calls that ask the same; how they wait is no part of it."""
    asked: Mapping[str, Any] = {
        "message": request.message,
        # A process of an older version knows no owner, and the calls of one.
        **({"owner": request.owner} if request.owner != LOCAL_OWNER else {}),
        "session_id": request.session_id,
        **({"model": request.model} if request.model else {}),
        "system_prompt": request.system_prompt,
        "history": [[message.role, message.content] for message in request.history],
        "sampling": request.sampling.given(),
        "overflow": request.overflow,
        "files": [each.file.model_dump() for each in request.files],
        "save_to": request.save_to and request.save_to.model_dump(),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
