"""The archive as the rest of the program sees it: asynchronous, opened on first use."""

from collections.abc import Collection
from pathlib import Path

import anyio.to_thread

from llama_mcp.sessions.changes import SessionChanges, SessionMark
from llama_mcp.sessions.records import (
    ArchivedTurn,
    Session,
    SessionList,
    TranscriptPage,
    TurnStatistics,
    TurnUnderway,
)
from llama_mcp.sessions.session_ids import parse_session_id
from llama_mcp.sessions.sqlite import (
    changing,
    naming,
    reading,
    searching,
    underway,
)
from llama_mcp.sessions.sqlite.newest import NewestSession, newest_sessions
from llama_mcp.sessions.sqlite.statistics import Statistics
from llama_mcp.sessions.turn_archive import OnChange, TurnArchive


class Archive(TurnArchive):
    """All sessions, in one file that several processes may use at once.

    Whatever a caller can name is looked up with its owner: another's session is one that never was.
    Every method that takes a session_id and an owner takes an unambiguous beginning of the id, and
    raises SessionNotFoundError or SessionAmbiguousError for another text. All asynchronous methods
    raise ArchiveError when the file cannot be opened, read or written.
    """

    def __init__(
        self, path: Path, on_change: OnChange | None = None, *, may_replace: bool = True
    ) -> None:
        super().__init__(path, on_change, may_replace=may_replace)
        # By owner; None for all together.
        self._statistics: dict[str | None, Statistics] = {}

    async def session(self, session_id: str, *, owner: str) -> Session:
        """Return the session without its turns."""
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(reading.read_session, session_id, owner)

    async def check_idle(self, session_id: str, *, owner: str) -> None:
        """Return when a turn can begin in the session.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        session_id = await self.find_id(session_id, owner=owner)
        await self._run(underway.check_idle, session_id, owner)

    async def turns_underway(self) -> tuple[TurnUnderway, ...]:
        """Return the turns whose replies are being generated, oldest first.

        They are those of all processes and all owners: each says whose it is.
        """
        return await self._run(underway.turns_underway) if self.exists() else ()

    async def last_turn(self, session_id: str, *, owner: str) -> ArchivedTurn:
        """Return the session's last turn.

        Raises:
            NoReplyUnderwayError: The session has no turn.
        """
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(reading.read_last_turn, session_id, owner)

    async def last_model(self, session_id: str, *, owner: str) -> str | None:
        """Return the name of the model that served the session last; None when none did."""
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(reading.last_model, session_id, owner)

    async def turns(
        self, session_id: str, offset: int = 0, limit: int = 50, *, owner: str
    ) -> TranscriptPage:
        """Return up to limit turns after the first offset ones; fewer where they are long."""
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(reading.read_page, session_id, offset, limit, owner)

    async def list_sessions(
        self,
        query: str | None = None,
        limit: int = 20,
        before: str | None = None,
        *,
        owner: str,
    ) -> SessionList:
        """Return the owner's sessions that changed last, or those of them that match the query."""
        cursor = reading.parse_before(before)
        asked = query or "", max(1, limit), cursor
        return await self._run(searching.search_sessions, *asked, owner)

    async def newest_sessions(self, limit: int, *, owner: str) -> list[NewestSession]:
        """Return the owner's sessions that changed last, by name only; newest first."""
        return await self._run(lambda store: newest_sessions(store.connection, limit, owner))

    async def unfinished(self, session_ids: Collection[str], *, owner: str) -> dict[str, str]:
        """Return how the last turn stands of those of the owner's whose reply is not whole."""
        return await self._run(reading.unfinished, session_ids, owner)

    async def update_session(
        self,
        session_id: str,
        title: str | None = None,
        system_prompt: str | None = None,
        *,
        owner: str,
    ) -> Session:
        """Change title or system prompt; None keeps it, an empty system prompt removes it."""
        session_id = await self.find_id(session_id, owner=owner)
        values = session_id, title, system_prompt, owner
        session = await self._run(changing.update_session, *values)
        self._note_change(session_id, owner, False)
        return session

    async def fork_session(
        self, session_id: str, at_turn: int | None = None, *, owner: str
    ) -> Session:
        """Copy the session up to a turn; up to the last one that has ended when none is named."""
        session_id = await self.find_id(session_id, owner=owner)
        fork = await self._run(changing.fork_session, session_id, at_turn, owner)
        self._note_change(fork.session_id, owner, True)
        return fork

    async def delete_session(self, session_id: str, *, owner: str) -> Session:
        """Remove the session with all its turns and return what it was.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        session_id = await self.find_id(session_id, owner=owner)
        deleted = await self._run(changing.delete_session, session_id, owner)
        self._note_change(deleted.session_id, owner, True)
        return deleted

    async def complete_ids(self, prefix: str, limit: int = 100, *, owner: str) -> tuple[str, ...]:
        """Return the owner's ids that begin with the prefix, what changed last first."""
        beginning = parse_session_id(prefix) if prefix.strip() else ""
        if beginning is None:
            return ()
        return await self._run(naming.complete_ids, beginning, limit, owner)

    async def existing_ids(self, session_ids: Collection[str]) -> frozenset[str]:
        """Return those of the ids that are sessions of any owner; the others are no longer."""
        return frozenset(await self.owners_of(session_ids))

    async def owners_of(self, session_ids: Collection[str]) -> dict[str, str]:
        """Return whose each of the ids is that are sessions."""
        return await self._run(reading.owners_of, session_ids) if self.exists() else {}

    async def changes_since(self, mark: SessionMark | None) -> SessionChanges:
        """Return which sessions any process has changed since the mark, and whose each is.

        An archive that does not exist is not created, and has no sessions.

        Args:
            mark: From an earlier call; None returns a mark of now without changes.
        """
        if not self.exists():
            return reading.changes_without_archive(mark)
        return await self._run(reading.changes_since, mark)

    async def owners(self) -> tuple[str, ...]:
        """Return who has sessions, by name; for the person whose machine this is."""
        return await self._run(reading.read_owners) if self.exists() else ()

    async def turn_statistics(self, *, owner: str | None) -> tuple[TurnStatistics, ...]:
        """Return what the newest turns saw, model by model; no turn waits for this to be read.

        Args:
            owner: Whose turns; None for those of all.
        """
        known = self._statistics.get(owner, Statistics())
        read = await anyio.to_thread.run_sync(self._database.statistics, known, owner)
        self._statistics[owner] = read
        return read.of_models
