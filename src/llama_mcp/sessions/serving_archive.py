"""Which launches of llama-server have served a session, asynchronous."""

from llama_mcp.sessions.archive_file import ArchiveFile
from llama_mcp.sessions.records import Usage
from llama_mcp.sessions.sqlite import serving


class ServingArchive(ArchiveFile):
    """What the archive knows of who has served turns. All take a whole session_id.

    All methods raise ArchiveError when the file cannot be opened, read or written.
    """

    async def runs_of(self, session_id: str) -> frozenset[str]:
        """Return the launches of llama-server that have served turns of the session."""
        return await self._run(serving.runs_of, session_id)

    async def served_before(self, session_id: str, turn: int) -> dict[str, Usage]:
        """Return the launches that have served turns before that one, and each one's last turn."""
        return await self._run(serving.served_before, session_id, turn)

    async def count_other_sessions(self, session_id: str, turn: int) -> int:
        """Return how many other sessions the launch of the turn before has served between the two.

        No more are counted than MOST_OTHER_SESSIONS.
        """
        return await self._run(serving.count_other_sessions, session_id, turn)

    async def note_run(self, session_id: str, turn: int, run: str) -> None:
        """Write down that a turn under way is served by another launch than it was begun with."""
        await self._run(serving.note_run, session_id, turn, run)
