"""Which launches of llama-server have served a session, and what turns took, asynchronous."""

from llama_mcp.sessions.archive_file import ArchiveFile
from llama_mcp.sessions.records import Usage
from llama_mcp.sessions.spent import SpentTokens
from llama_mcp.sessions.sqlite import serving, spending


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

    async def spent_since(self, owner: str, moment_utc: str) -> SpentTokens:
        """Return what the owner's turns took in tokens that ended since then, deleted ones too.

        Nothing is known of the local owner, who has no limit.
        """
        return await self._run(spending.spent_since, owner, moment_utc)

    async def note_run(self, session_id: str, turn: int, run: str) -> None:
        """Write down that a turn under way is served by another launch than it was begun with."""
        await self._run(serving.note_run, session_id, turn, run)
