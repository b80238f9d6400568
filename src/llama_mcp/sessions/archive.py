"""The archive as the rest of the program sees it: asynchronous, opened on first use.

Every call hops to a worker thread, one at a time, so that the event loop never waits for a disk
and the connection has one user. What SQLite and the file system raise comes out as ArchiveError.

An ending that could not be written (a full disk) is kept in memory and written before the next
thing that is asked of the archive, and when it is closed: the session goes on from the whole reply.
"""

import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.errors import ArchiveError, SessionBusyError
from llama_mcp.sessions.records import (
    ArchivedTurn,
    BegunTurn,
    Message,
    NewTurn,
    Session,
    SessionList,
    TranscriptPage,
    TurnEnding,
    TurnStatistics,
)
from llama_mcp.sessions.session_ids import check_session_id, is_id_prefix
from llama_mcp.sessions.sqlite import changing, reading, searching, writing
from llama_mcp.sessions.sqlite.failures import (
    archive_error,
    damage_error,
    is_damage,
    is_search_damage,
)
from llama_mcp.sessions.sqlite.opening import move_aside_if_unchanged
from llama_mcp.sessions.sqlite.statistics import Statistics, read_statistics
from llama_mcp.sessions.sqlite.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Archive:
    """All sessions, in one file that several processes may use at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self._notice: str | None = None
        self._unwritten: dict[tuple[str, int], tuple[TurnEnding, ArchiveError]] = {}
        self._is_in_a_hurry = False
        self._statistics = Statistics()
        self._one_at_a_time = anyio.CapacityLimiter(1)

    def notice(self) -> str | None:
        """Return, once, what the user should know: that a damaged file was moved aside."""
        notice, self._notice = self._notice, None
        return notice

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
        return await self._run(writing.begin_turn, session_id, new)

    async def save_partial(self, session_id: str, turn: int, reply: str, reasoning: str) -> None:
        """Write down what was received of the reply so far, both texts whole."""
        await self._run(writing.save_partial, check_session_id(session_id), turn, reply, reasoning)

    async def end_turn(self, session_id: str, turn: int, ending: TurnEnding) -> None:
        """Write down how the turn ended; also while the caller is being cancelled."""
        session_id = check_session_id(session_id)
        with anyio.CancelScope(shield=True):
            try:
                await self._run(writing.end_turn, session_id, turn, ending)
            except ArchiveError as error:
                self._unwritten[session_id, turn] = (ending, error)
                raise

    async def session(self, session_id: str) -> Session:
        """Return the session without its turns."""
        return await self._run(reading.read_session, check_session_id(session_id))

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
        return await self._run(changing.update_session, session_id, title, system_prompt)

    async def fork_session(self, session_id: str, at_turn: int | None = None) -> Session:
        """Copy the session up to a turn; up to the last one that has ended when none is named."""
        return await self._run(changing.fork_session, check_session_id(session_id), at_turn)

    async def delete_session(self, session_id: str) -> Session:
        """Remove the session with all its turns and return what it was.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        return await self._run(changing.delete_session, check_session_id(session_id))

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

    async def turn_statistics(self) -> tuple[TurnStatistics, ...]:
        """Return what the newest turns saw, model by model; no turn waits for this to be read."""

        def read() -> Statistics:
            try:
                return read_statistics(self._path, self._statistics)
            except (sqlite3.Error, OSError) as error:
                raise archive_error(self._path, error) from error

        self._statistics = await anyio.to_thread.run_sync(read)
        return self._statistics.of_models

    def last_change(self) -> Hashable:
        """Return what is another whenever anybody has written to the archive; opens no file."""
        return tuple(_change_of(Path(f"{self._path}{suffix}")) for suffix in ("", "-wal"))

    def hurry(self) -> None:
        """Wait for other processes no longer than a process that ends can: its client kills it."""
        self._is_in_a_hurry = True

    async def close(self) -> None:
        """Close the file; the next use would open it again."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close, limiter=self._one_at_a_time)

    async def _run(
        self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def mapped() -> T:
            try:
                return self._attempt(lambda store: work(store, *args, **kwargs))
            except (sqlite3.Error, OSError) as error:
                raise archive_error(self._path, error) from error

        return await anyio.to_thread.run_sync(mapped, limiter=self._one_at_a_time)

    def _attempt(self, work: Callable[[Store], T]) -> T:
        store = self._opened()
        self._write_late_endings(store)
        try:
            return work(store)
        except SessionBusyError as error:
            raise self._why_not_ended(error.session_id) or error from None
        except sqlite3.DatabaseError as error:
            damage = error
        if is_search_damage(damage):
            try:
                searching.rebuild_index(store)
                return work(store)
            except sqlite3.DatabaseError as error:
                damage = error
        if is_damage(damage):
            raise self._move_aside(store, damage) from damage
        raise damage

    def _opened(self) -> Store:
        if self._store is not None and not self._store.is_current():
            self._notice = (
                f"The archive {self._path} was moved or deleted while it was in use; what is at "
                "its place now is used from here on."
            )
            self._forget_store()
        if self._store is None:
            self._store = Store(self._path)
            self._notice = self._store.notice or self._notice
        if self._is_in_a_hurry:
            self._store.hurry()
        return self._store

    def _write_late_endings(self, store: Store) -> None:
        for (session_id, turn), (ending, _) in list(self._unwritten.items()):
            try:
                writing.end_turn(store, session_id, turn, ending)
            except sqlite3.Error:
                return
            except LlamaMCPError:
                pass  # the file was replaced: the turn is not in this one
            del self._unwritten[session_id, turn]

    def _why_not_ended(self, session_id: str) -> ArchiveError | None:
        # No reply is generated any more when all that is missing is the room for its end.
        errors = [
            why for (busy_id, _), (_, why) in self._unwritten.items() if busy_id == session_id
        ]
        return errors[-1] if errors else None

    def _move_aside(self, store: Store, damage: sqlite3.DatabaseError) -> ArchiveError:
        self._forget_store()
        moved_to = move_aside_if_unchanged(self._path, store.inode)
        return damage_error(self._path, moved_to, damage)

    def _forget_store(self) -> None:
        if self._store is not None:
            store, self._store = self._store, None
            store.close()

    def _close(self) -> None:
        if self._store is not None:
            self._write_late_endings(self._store)
        with suppress(sqlite3.Error, OSError):
            self._forget_store()


def _change_of(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_mtime_ns, about.st_size
