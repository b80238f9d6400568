"""The callers of a turn: each follows the reply as it grows, and leaves when it likes."""

from collections.abc import Awaitable, Callable
from enum import IntEnum

import anyio

from llama_mcp.turns.replies.partial_reply import PartialReply

# Sends what is new of a reply. Returns 0, or how many seconds too early the call was.
Report = Callable[[PartialReply], Awaitable[float]]


class Stage(IntEnum):
    """How far a reply is. Callers are told at once when it has got further."""

    AWAITED = 0
    BEGUN = 1
    """Something is generated, such as reasoning."""
    HAS_TEXT = 2
    WHOLE = 3


def stage_of(reply: PartialReply) -> Stage:
    """Return how far a reply is."""
    if reply.is_whole:
        return Stage.WHOLE
    if reply.pieces:
        return Stage.HAS_TEXT
    return Stage.BEGUN if reply.generated else Stage.AWAITED


class Following:
    """Wakes callers when a reply has grown and when its turn is over."""

    def __init__(self, reply: PartialReply) -> None:
        self._reply = reply
        # How much of the reply callers have had as progress. The next caller gets the rest.
        self.told_pieces = 0
        self._changes = 0
        # Made only while a caller waits: it costs more than all else that is done for a token.
        self._change: anyio.Event | None = None
        self._stage = Stage.AWAITED
        self._next_stage = anyio.Event()
        self._over = anyio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the turn is over."""
        return self._over.is_set()

    def note_change(self) -> None:
        """Wake the callers because there is something new."""
        self._changes += 1
        if self._change is not None:
            self._change.set()
            self._change = None
        stage = stage_of(self._reply)
        if stage is not self._stage or self.is_over:
            self._stage = stage
            self._next_stage.set()
            self._next_stage = anyio.Event()

    def end(self) -> None:
        """Wake all callers for the last time."""
        self._over.set()
        self.note_change()

    async def wait_until_over(self) -> None:
        """Wait until the turn is over."""
        await self._over.wait()

    async def follow(self, seconds: float, report: Report) -> None:
        """Report what is new until the turn is over or the time is up.

        Args:
            seconds: How long to follow.
            report: Called after changes. When it was too early it is called again: in time, or as
                soon as the reply has got to another stage.
        """
        reported = -1
        with anyio.move_on_after(seconds):
            while not self.is_over:
                if reported == self._changes:
                    await self._wait_for_change()
                    continue
                reported, next_stage = self._changes, self._next_stage
                if early_seconds := await report(self._reply):
                    reported = -1
                    with anyio.move_on_after(early_seconds):
                        await next_stage.wait()

    async def _wait_for_change(self) -> None:
        if self._change is None:
            self._change = anyio.Event()
        await self._change.wait()
