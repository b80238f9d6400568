"""What a turn and a job have in common: tasks of the process that callers find, follow and stop."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar
from weakref import WeakMethod

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.following import Following
from llama_mcp.turns.replies.partial_reply import PartialReply

T = TypeVar("T")

STOPPED_ELSEWHERE = "It was stopped from another llama-mcp process than its own."
BUG = "an unexpected error inside llama-mcp; its log has the details"


class Underway:
    """One turn of a session that is under way or just over."""

    def __init__(
        self,
        session_id: str,
        owner: str,
        number: int,
        reply: PartialReply,
        archive: Archive,
        notes: Sequence[str],
        run: str,
    ) -> None:
        self.session_id = session_id
        self.owner = owner
        self.number = number
        self.reply = reply
        self.following = Following(reply)
        self.is_saved = False
        self.error: LlamaMCPError | None = None
        self._archive = archive
        # What the caller should know besides the reply.
        self._notes = list(notes)
        self._scope = anyio.CancelScope()
        self._is_cancel_asked = False
        # The launch of llama-server that the archive has for it.
        self._noted_run = run

    @property
    def is_over(self) -> bool:
        """Whether what has come is in the archive, or cannot be written to it."""
        return self.following.is_over

    async def cancel(self) -> None:
        """Stop it and wait until what has come is archived."""
        self._is_cancel_asked = not self.is_over
        self._scope.cancel()
        await self.following.wait_until_over()

    async def wait_if_cancelled(self) -> None:
        """Wait until it is over if a caller is cancelling it."""
        if self._is_cancel_asked:
            await self.following.wait_until_over()

    def _ended_as(self, status: TurnStatus) -> TurnStatus:
        """Return how it ended: what breaks off as a caller stops it is stopped, and no failure."""
        if status is TurnStatus.INTERRUPTED and self._is_cancel_asked:
            self.error = None
            return TurnStatus.CANCELLED
        return status

    async def _note_run(self, run: str) -> None:
        """Have the archive know which launch reads the session now: it may keep what it has read.

        Raises:
            ArchiveError: it cannot be written.
        """
        if run != self._noted_run:
            await self._archive.note_run(self.session_id, self.number, run)
            self._noted_run = run

    async def _is_cancelled_elsewhere(self) -> bool:
        with suppress(ArchiveError):
            return await self._archive.is_cancel_asked(self.session_id, self.number)
        return False

    async def _stop_if_cancelled_elsewhere(self) -> None:
        if await self._is_cancelled_elsewhere():
            self._notes.append(STOPPED_ELSEWHERE)
            self._is_cancel_asked = True
            self._scope.cancel()


def weakly(method: Callable[[], T]) -> Callable[[], T]:
    """Return a turn's method for what the turn has itself: it is freed once nobody else needs it.

    In a cycle, turns would be kept until the garbage collector looks at the oldest objects: some
    hundred turns of 15 kB each.
    """
    reference = WeakMethod(method)

    def call() -> T:
        found = reference()
        assert found is not None, "the turn awaits whoever calls this"
        return found()

    return call
