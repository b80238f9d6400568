"""The archive as the rest of the program sees it: asynchronous, opened on first use.

An ending that cannot be written is written later (sqlite/database.py).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from llama_mcp.sessions.attachments import Attachment, SaveTo
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.changes import SessionChanges, SessionMark
from llama_mcp.sessions.job_archive import JobArchive
from llama_mcp.sessions.left_turns import AdoptedTurn, CutOffCall, LeftTurn
from llama_mcp.sessions.patience import ENDING_SECONDS, waiting_at_most
from llama_mcp.sessions.records import (
    ArchivedTurn,
    Message,
    NewTurn,
    Session,
    SessionList,
    TranscriptPage,
    TurnEnding,
    TurnStatistics,
    TurnUnderway,
)
from llama_mcp.sessions.serving_archive import ServingArchive
from llama_mcp.sessions.session_ids import is_whole, parse_session_id
from llama_mcp.sessions.sqlite import (
    calls,
    changing,
    leaving,
    naming,
    reading,
    reopening,
    searching,
    underway,
    writing,
)
from llama_mcp.sessions.sqlite.newest import NewestSession, newest_sessions
from llama_mcp.sessions.sqlite.statistics import Statistics
from llama_mcp.sessions.underway_archive import UnderwayArchive

# Called with the session_id after a change of this process, and whether the session is new or gone.
OnChange = Callable[[str, bool], None]


class Archive(UnderwayArchive, JobArchive, ServingArchive):
    """All sessions, in one file that several processes may use at once.

    Every method that takes a session_id takes an unambiguous beginning of it, and raises
    SessionNotFoundError or SessionAmbiguousError for another text; those that write a turn that was
    begun take only what begin_turn returned. All asynchronous methods raise ArchiveError when the
    file cannot be opened, read or written.
    """

    def __init__(
        self, path: Path, on_change: OnChange | None = None, *, may_replace: bool = True
    ) -> None:
        super().__init__(path, may_replace=may_replace)
        self._on_change = on_change
        self._statistics = Statistics()

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
        call: str | None = None,
        stream_id: str | None = None,
        attached: Sequence[Attachment] = (),
        save_to: SaveTo | None = None,
    ) -> BegunTurn:
        """Write the message down, in a new session when none is named.

        A call is what the same call of a client is known by when it is made again. With a
        stream_id, another process may take the turn over when this one has ended.

        Raises:
            SessionBusyError: A reply is being generated in the session.
            SessionUnderwayError: system_prompt or history, and the session has begun.
            InvalidArgumentError: The history's roles are not those of a conversation.
        """
        session_id = None if session_id is None else await self.find_id(session_id)
        texts = message, system_prompt, tuple(history)
        files = tuple(attached), save_to
        new = NewTurn(*texts, model, run, sampling or {}, call, stream_id, *files)
        begun = await self._run(writing.begin_turn, session_id, new)
        self._note_change(begun.session.session_id, session_id is None)
        return begun

    async def end_turn(self, session_id: str, turn: int, ending: TurnEnding) -> None:
        """Write down how the turn ended; also while the caller is being cancelled."""
        with anyio.CancelScope(shield=True), waiting_at_most(ENDING_SECONDS, ENDING_SECONDS):
            await self._patiently(lambda: self._database.end_turn(session_id, turn, ending))
        self._note_change(session_id, False)

    async def note_told(self, session_id: str, turn: int) -> None:
        """Write down that the turn's caller has had a result, and knows its session."""
        await self._run(calls.note_told, session_id, turn)

    async def cut_off_call(self, call: str) -> CutOffCall | None:
        """Return the same call if its caller was gone before it could have a result."""
        return await self._run(calls.cut_off_call, call) if self.exists() else None

    async def next_turn(self, session_id: str) -> BegunTurn:
        """Return the turn that would begin in the session, without its message."""
        return await self._run(writing.next_turn, await self.find_id(session_id))

    async def begun_again(self, session_id: str) -> tuple[BegunTurn, ArchivedTurn]:
        """Return the session's last turn as it was begun, and what had come of it."""
        return await self._run(reopening.begun_again, session_id)

    async def reopen_turn(self, begun: BegunTurn, run: str) -> bool:
        """Have a cancelled turn under way once more; False if it can be so no longer."""
        is_open = await self._run(reopening.reopen_turn, begun, run)
        self._note_change(begun.session.session_id, False)
        return is_open

    async def left_turns(self) -> tuple[LeftTurn, ...]:
        """Return the turns whose process has ended, and whose replies may have gone on."""
        return await self._run(leaving.left_turns) if self.exists() else ()

    async def left_turn(self, session_id: str) -> LeftTurn | None:
        """Return the session's last turn if it is one of them."""
        return await self._run(leaving.left_turn, await self.find_id(session_id))

    async def stream_ids(self) -> frozenset[str]:
        """Return the ids of the streams of all turns under way, whoever receives them."""
        return await self._run(leaving.stream_ids) if self.exists() else frozenset()

    async def adopt_turn(self, session_id: str) -> AdoptedTurn | None:
        """Take over the session's turn if its process has ended; None if there is nothing to take.

        Of several processes one takes it over.
        """
        return await self._run(leaving.adopt_turn, await self.find_id(session_id))

    async def find_id(self, session_id: str) -> str:
        """Return the whole id that is meant; a whole one is not looked up."""
        parsed = parse_session_id(session_id)
        if parsed is not None and is_whole(parsed):
            return parsed
        return await self._run(naming.find_id, session_id)

    async def session(self, session_id: str) -> Session:
        """Return the session without its turns."""
        return await self._run(reading.read_session, await self.find_id(session_id))

    async def check_idle(self, session_id: str) -> None:
        """Return when a turn can begin in the session.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        await self._run(underway.check_idle, await self.find_id(session_id))

    async def turns_underway(self) -> tuple[TurnUnderway, ...]:
        """Return the turns whose replies are being generated, by all processes, oldest first."""
        return await self._run(underway.turns_underway) if self.exists() else ()

    async def last_turn(self, session_id: str) -> ArchivedTurn:
        """Return the session's last turn.

        Raises:
            NoReplyUnderwayError: The session has no turn.
        """
        return await self._run(reading.read_last_turn, await self.find_id(session_id))

    async def last_model(self, session_id: str) -> str | None:
        """Return the name of the model that served the session last; None when none did."""
        return await self._run(reading.last_model, await self.find_id(session_id))

    async def earlier_underway(self, session_id: str, run: str) -> tuple[str, ...]:
        """Return the sessions whose turns with that launch began before its own, and go on."""
        return await self._run(underway.earlier_underway, session_id, run)

    async def turns(self, session_id: str, offset: int = 0, limit: int = 50) -> TranscriptPage:
        """Return up to limit turns after the first offset ones; fewer where they are long."""
        return await self._run(reading.read_page, await self.find_id(session_id), offset, limit)

    async def list_sessions(
        self, query: str | None = None, limit: int = 20, before: str | None = None
    ) -> SessionList:
        """Return the sessions that changed last, or those of them that match the query."""
        cursor = reading.parse_before(before)
        return await self._run(searching.search_sessions, query or "", max(1, limit), cursor)

    async def newest_sessions(self, limit: int) -> list[NewestSession]:
        """Return the sessions that changed last, by name only; newest first."""
        return await self._run(lambda store: newest_sessions(store.connection, limit))

    async def unfinished(self, session_ids: Collection[str]) -> dict[str, str]:
        """Return how the last turn stands of those of the sessions whose reply is not whole."""
        return await self._run(reading.unfinished, session_ids)

    async def update_session(
        self, session_id: str, title: str | None = None, system_prompt: str | None = None
    ) -> Session:
        """Change title or system prompt; None keeps it, an empty system prompt removes it."""
        session_id = await self.find_id(session_id)
        session = await self._run(changing.update_session, session_id, title, system_prompt)
        self._note_change(session_id, False)
        return session

    async def fork_session(self, session_id: str, at_turn: int | None = None) -> Session:
        """Copy the session up to a turn; up to the last one that has ended when none is named."""
        fork = await self._run(changing.fork_session, await self.find_id(session_id), at_turn)
        self._note_change(fork.session_id, True)
        return fork

    async def delete_session(self, session_id: str) -> Session:
        """Remove the session with all its turns and return what it was.

        Raises:
            SessionBusyError: A reply is being generated in it.
        """
        deleted = await self._run(changing.delete_session, await self.find_id(session_id))
        self._note_change(deleted.session_id, True)
        return deleted

    async def set_cut(self, session_id: str, first_turn_in_prompt: int) -> None:
        """Leave the turns before this one out of later prompts; a cut never moves back."""
        await self._run(changing.set_cut, session_id, first_turn_in_prompt)

    async def complete_ids(self, prefix: str, limit: int = 100) -> tuple[str, ...]:
        """Return the ids that begin with the prefix, the session that changed last first."""
        beginning = parse_session_id(prefix) if prefix.strip() else ""
        if beginning is None:
            return ()
        return await self._run(naming.complete_ids, beginning, limit)

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

    def _note_change(self, session_id: str, comes_or_goes: bool) -> None:
        if self._on_change is not None:
            self._on_change(session_id, comes_or_goes)
