"""Turns under way in the archive, asynchronous: saved, asked to stop, and looked at."""

import anyio.to_thread

from llama_mcp.sessions.archive_file import ArchiveFile
from llama_mcp.sessions.left_turns import StreamPoint
from llama_mcp.sessions.patience import PARTIAL_SECONDS, waiting_at_most
from llama_mcp.sessions.recent_turns import RecentTurns, TurnProgress
from llama_mcp.sessions.sqlite import underway, writing
from llama_mcp.sessions.sqlite.recent import Wanted, read_settled


class UnderwayArchive(ArchiveFile):
    """What the archive knows of turns that are not over, of all owners but where one is named.

    All take a whole session_id.

    All methods raise ArchiveError when the file cannot be opened, read or written.
    """

    async def save_partial(
        self,
        session_id: str,
        turn: int,
        reply: str,
        reasoning: str,
        point: StreamPoint | None = None,
        progress: TurnProgress | None = None,
    ) -> None:
        """Write down what was received of the reply so far, both texts whole.

        Args:
            session_id: The session.
            turn: The turn.
            reply: The reply so far.
            reasoning: Its reasoning so far.
            point: Where another process can read on; None when none can.
            progress: How far it is, for whoever looks; None keeps what was noted before.
        """
        texts = reply, reasoning
        with waiting_at_most(PARTIAL_SECONDS):
            await self._run(writing.save_partial, session_id, turn, *texts, point, progress)

    async def note_progress(self, session_id: str, turn: int, progress: TurnProgress) -> None:
        """Write down how far a turn is of whose reply nothing new has come."""
        with waiting_at_most(PARTIAL_SECONDS):
            await self._run(writing.note_progress, session_id, turn, progress)

    async def ask_cancel(self, session_id: str, turn: int, *, owner: str) -> StreamPoint | None:
        """Let the process that receives the reply know that it should stop; return its stream."""
        return await self._run(writing.ask_cancel, session_id, turn, owner)

    async def is_cancel_asked(self, session_id: str, turn: int) -> bool:
        """Return whether another process wants this one to stop the reply."""
        return await self._run(underway.is_cancel_asked, session_id, turn)

    async def recent_turns(
        self, limit: int, since_utc: str = "", *, owner: str | None
    ) -> RecentTurns:
        """Return the turns under way in all processes, and those that ended last.

        No turn waits for this to be read.

        Args:
            limit: At most this many that ended.
            since_utc: Only those that ended later, as `ended_at_utc` says it.
            owner: Only this one's; None for all.
        """
        wanted = Wanted(limit, since_utc, owner)
        found = await anyio.to_thread.run_sync(self._database.recent, wanted)
        if found.is_stale:
            found = await self._run(read_settled, wanted)
        return found.turns
