"""The archive as the rest of the program sees it: asynchronous, opened on first use.

Every call runs on a worker thread, one at a time, so that the event loop never waits for a disk and
the database has one user. An ending that cannot be written is written later (sqlite/database.py).
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from llama_mcp.sessions.records import (
    ArchivedTurn,
    BegunTurn,
    Message,
    NewTurn,
    Session,
    SessionChanges,
    SessionList,
    SessionMark,
    TranscriptPage,
    TurnEnding,
    TurnStatistics,
)
from llama_mcp.sessions.session_ids import check_session_id, is_id_prefix
from llama_mcp.sessions.sqlite import changing, reading, searching, writing
from llama_mcp.sessions.sqlite.database import Database
from llama_mcp.sessions.sqlite.statistics import Statistics
from llama_mcp.sessions.sqlite.store import Store

P = ParamSpec("P")
T = TypeVar("T")

# Called with the session_id after a change of this process, and whether the session is new or gone.
OnChange = Callable[[str, bool], None]


class Archive:
    """All sessions, in one file that several processes may use at once.

    Every method that takes a session_id raises SessionNotFoundError for an unknown one. All
    asynchronous methods raise ArchiveError when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path, on_change: OnChange | None = None) -> None:
        self._database = Database(path)
        self._on_change = on_change
        self._statistics = Statistics()
        self._one_at_a_time = anyio.CapacityLimiter(1)

    def notice(self) -> str | None:
        """Return, once, what the user should know: that a damaged file was moved aside."""
        return self._database.take_notice()

    def exists(self) -> bool:
        """Return whether the archive was ever used; asking does not create it."""
        return self._database.exists()

    async def begin_turn(
        self,
        session_id: str | None,
        message: str,
        *,
        system_prompt: str | None = None,
        history: Sequence[Message] = (),
        model: str | None = None,
        run: str | None = None,
        sampling: Mapping[str, object] | None = None,
    ) -> BegunTurn:
        """Write the message down, in a new session when none is named.

        Raises:
            SessionBusyError: A reply is being generated in the session.
            SessionUnderwayError: system_prompt or history, and the session has begun.
            InvalidArgumentError: The history's roles are not those of a conversation.
        """
        session_id = None if session_id is None else check_session_id(session_id)
        new = NewTurn(message, system_prompt, tuple(history), model, run, sampling or {})
        begun = await self._run(writing.begin_turn, session_id, new)
        self._note_change(begun.session.session_id, session_id is None)
        return begun

    async def save_partial(self, session_id: str, turn: int, reply: str, reasoning: str) -> None:
        """Write down what was received of the reply so far, both texts whole."""
        await self._run(writing.save_partial, check_session_id(session_id), turn, reply, reasoning)

    async def end_turn(self, session_id: str, turn: int, ending: TurnEnding) -> None:
        """Write down how the turn ended; also while the caller is being cancelled."""
        session_id = check_session_id(session_id)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(
                self._database.end_turn, session_id, turn, ending, limiter=self._one_at_a_time
            )
        self._note_change(session_id, False)

    async def session(self, session_id: str) -> Session:
        """Return the session without its turns."""
        return await self._run(reading.read_session, check_session_id(session_id))

    async def check_idle(self, session_id: str) -> None:
        """Return when a turn can begin in the session.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        await self._run(reading.check_idle, check_session_id(session_id))

    async def last_turn(self, session_id: str) -> ArchivedTurn:
        """Return the session's last turn.

        Raises:
            NoReplyUnderwayError: The session has no turn.
        """
        return await self._run(reading.read_last_turn, check_session_id(session_id))

    async def turns(self, session_id: str, offset: int = 0, limit: int = 50) -> TranscriptPage:
        """Return up to limit turns after the first offset ones."""
        return await self._run(reading.read_page, check_session_id(session_id), offset, limit)

    async def list_sessions(
        self, query: str | None = None, limit: int = 20, before: str | None = None
    ) -> SessionList:
        """Return the sessions that changed last, or those of them that match the query."""
        cursor = reading.parse_before(before)
        return await self._run(searching.search_sessions, query or "", max(1, limit), cursor)

    async def update_session(
        self, session_id: str, title: str | None = None, system_prompt: str | None = None
    ) -> Session:
        """Change title or system prompt; None keeps it, an empty system prompt removes it."""
        session_id = check_session_id(session_id)
        session = await self._run(changing.update_session, session_id, title, system_prompt)
        self._note_change(session_id, False)
        return session

    async def fork_session(self, session_id: str, at_turn: int | None = None) -> Session:
        """Copy the session up to a turn; up to the last one that has ended when none is named."""
        fork = await self._run(changing.fork_session, check_session_id(session_id), at_turn)
        self._note_change(fork.session_id, True)
        return fork

    async def delete_session(self, session_id: str) -> Session:
        """Remove the session with all its turns and return what it was.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        deleted = await self._run(changing.delete_session, check_session_id(session_id))
        self._note_change(deleted.session_id, True)
        return deleted

    async def set_cut(self, session_id: str, first_turn_in_prompt: int) -> None:
        """Leave the turns before this one out of later prompts; a cut never moves back."""
        session_id = check_session_id(session_id)
        await self._run(changing.set_cut, session_id, first_turn_in_prompt)

    async def complete_ids(self, prefix: str, limit: int = 100) -> tuple[str, ...]:
        """Return the ids that begin with the prefix, the session that changed last first."""
        prefix = prefix.strip().lower()
        if not is_id_prefix(prefix):
            return ()
        return await self._run(reading.complete_ids, prefix, limit)

    async def existing_ids(self, session_ids: Collection[str]) -> frozenset[str]:
        """Return those of the ids that are sessions; the others were deleted or never were."""
        if not self.exists():
            return frozenset()
        return await self._run(reading.existing_ids, session_ids)

    async def changes_since(self, mark: SessionMark | None) -> SessionChanges:
        """Return which sessions any process has changed since the mark, and a mark of now.

        An archive that does not exist is not created, and has no sessions.

        Args:
            mark: From an earlier call; None returns a mark of now without changes.
        """
        if not self.exists():
            return reading.changes_without_archive(mark)
        return await self._run(reading.changes_since, mark)

    async def turn_statistics(self) -> tuple[TurnStatistics, ...]:
        """Return what the newest turns saw, model by model; no turn waits for this to be read."""
        self._statistics = await anyio.to_thread.run_sync(
            self._database.statistics, self._statistics
        )
        return self._statistics.of_models

    def last_change(self) -> Hashable:
        """Return a value that changes with every write to the archive, by any process."""
        return self._database.last_change()

    def shorten_waits(self) -> None:
        """Wait for other processes only briefly from now on, because this process ends."""
        self._database.shorten_waits()

    async def close(self) -> None:
        """Close the file; the next use opens it again."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._database.close, limiter=self._one_at_a_time)

    def _note_change(self, session_id: str, comes_or_goes: bool) -> None:
        if self._on_change is not None:
            self._on_change(session_id, comes_or_goes)

    async def _run(
        self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def on_database() -> T:
            return self._database.run(lambda store: work(store, *args, **kwargs))

        return await anyio.to_thread.run_sync(on_database, limiter=self._one_at_a_time)
