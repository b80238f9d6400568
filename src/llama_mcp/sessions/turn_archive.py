"""Turns in the archive, asynchronous: begun, saved, ended, left and taken over.

An ending that cannot be written is written later (sqlite/database.py).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio

from llama_mcp.sessions.attachments import Attachment, SaveTo
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.job_archive import JobArchive
from llama_mcp.sessions.left_turns import AdoptedTurn, CutOffCall, LeftTurn, StreamPoint
from llama_mcp.sessions.patience import (
    ENDING_SECONDS,
    PARTIAL_SECONDS,
    waiting_at_most,
)
from llama_mcp.sessions.records import (
    ArchivedTurn,
    EarlierUnderway,
    Message,
    NewTurn,
    TurnEnding,
)
from llama_mcp.sessions.serving_archive import ServingArchive
from llama_mcp.sessions.session_ids import is_whole, parse_session_id
from llama_mcp.sessions.sqlite import (
    calls,
    changing,
    leaving,
    naming,
    reopening,
    underway,
    writing,
)

# Called with the session_id after a change of this process, its owner, and whether the session is
# new or gone.
OnChange = Callable[[str, str, bool], None]


class TurnArchive(JobArchive, ServingArchive):
    """What the archive keeps of turns.

    Methods with an owner are for callers, and take an unambiguous beginning of a session_id of the
    owner's. The others are for whoever receives a reply, of any owner, and take only what
    begin_turn, adopt_turn or left_turns returned. All raise ArchiveError when the file cannot be
    opened, read or written.
    """

    def __init__(
        self, path: Path, on_change: OnChange | None = None, *, may_replace: bool = True
    ) -> None:
        super().__init__(path, may_replace=may_replace)
        self._on_change = on_change

    async def begin_turn(
        self,
        session_id: str | None,
        message: str,
        *,
        owner: str,
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
        """Write the message down, in a new session of the owner's when none is named.

        A call is what the same call of a client is known by when it is made again. With a
        stream_id, another process may take the turn over when this one has ended.

        Raises:
            SessionBusyError: A reply is being generated in the session.
            SessionUnderwayError: system_prompt or history, and the session has begun.
            InvalidArgumentError: The history's roles are not those of a conversation.
        """
        session_id = None if session_id is None else await self.find_id(session_id, owner=owner)
        texts = message, system_prompt, tuple(history)
        files = tuple(attached), save_to
        new = NewTurn(*texts, model, run, sampling or {}, call, stream_id, *files)
        begun = await self._run(writing.begin_turn, session_id, new, owner)
        self._note_change(begun.session.session_id, owner, session_id is None)
        return begun

    async def save_partial(
        self,
        session_id: str,
        turn: int,
        reply: str,
        reasoning: str,
        point: StreamPoint | None = None,
    ) -> None:
        """Write down what was received of the reply so far, both texts whole.

        Args:
            session_id: The session.
            turn: The turn.
            reply: The reply so far.
            reasoning: Its reasoning so far.
            point: Where another process can read on; None when none can.
        """
        with waiting_at_most(PARTIAL_SECONDS):
            await self._run(writing.save_partial, session_id, turn, reply, reasoning, point)

    async def end_turn(self, session_id: str, turn: int, ending: TurnEnding) -> None:
        """Write down how the turn ended; also while the caller is being cancelled."""
        with anyio.CancelScope(shield=True), waiting_at_most(ENDING_SECONDS, ENDING_SECONDS):
            owner = await self._patiently(lambda: self._database.end_turn(session_id, turn, ending))
        self._note_change(session_id, owner, False)

    async def ask_cancel(self, session_id: str, turn: int, *, owner: str) -> StreamPoint | None:
        """Let the process that receives the reply know that it should stop; return its stream."""
        return await self._run(writing.ask_cancel, session_id, turn, owner)

    async def is_cancel_asked(self, session_id: str, turn: int) -> bool:
        """Return whether another process wants this one to stop the reply."""
        return await self._run(underway.is_cancel_asked, session_id, turn)

    async def note_told(self, session_id: str, turn: int) -> None:
        """Write down that the turn's caller has had a result, and knows its session."""
        await self._run(calls.note_told, session_id, turn)

    async def cut_off_call(self, call: str, *, owner: str) -> CutOffCall | None:
        """Return the owner's same call if its caller was gone before it could have a result."""
        return await self._run(calls.cut_off_call, call, owner) if self.exists() else None

    async def next_turn(self, session_id: str, *, owner: str) -> BegunTurn:
        """Return the turn that would begin in the session, without its message."""
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(writing.next_turn, session_id, owner)

    async def begun_again(self, session_id: str) -> tuple[BegunTurn, ArchivedTurn]:
        """Return the session's last turn as it was begun, and what had come of it."""
        return await self._run(reopening.begun_again, session_id)

    async def reopen_turn(self, begun: BegunTurn, run: str) -> bool:
        """Have a cancelled turn under way once more; False if it can be so no longer."""
        is_open = await self._run(reopening.reopen_turn, begun, run)
        self._note_change(begun.session.session_id, begun.owner, False)
        return is_open

    async def left_turns(self) -> tuple[LeftTurn, ...]:
        """Return the turns of all owners whose process has ended, and which may have gone on."""
        return await self._run(leaving.left_turns) if self.exists() else ()

    async def left_turn(self, session_id: str, *, owner: str) -> LeftTurn | None:
        """Return the session's last turn if it is one of them."""
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(leaving.left_turn, session_id, owner)

    async def stream_ids(self) -> frozenset[str]:
        """Return the ids of the streams of all turns under way, whoever receives them."""
        return await self._run(leaving.stream_ids) if self.exists() else frozenset()

    async def adopt_turn(self, session_id: str, *, owner: str) -> AdoptedTurn | None:
        """Take over the session's turn if its process has ended; None if there is nothing to take.

        Of several processes one takes it over.
        """
        session_id = await self.find_id(session_id, owner=owner)
        return await self._run(leaving.adopt_turn, session_id, owner)

    async def earlier_underway(self, session_id: str, run: str) -> EarlierUnderway:
        """Return the turns with that launch that began before the session's own, and go on."""
        return await self._run(underway.earlier_underway, session_id, run)

    async def set_cut(self, session_id: str, first_turn_in_prompt: int) -> None:
        """Leave the turns before this one out of later prompts; a cut never moves back."""
        await self._run(changing.set_cut, session_id, first_turn_in_prompt)

    async def find_id(self, session_id: str, *, owner: str) -> str:
        """Return the whole id that is meant among the owner's.

        A whole one is not looked up: whoever reads something by it says again whose it must be.
        """
        parsed = parse_session_id(session_id)
        if parsed is not None and is_whole(parsed):
            return parsed
        return await self._run(naming.find_id, session_id, owner)

    def _note_change(self, session_id: str, owner: str, comes_or_goes: bool) -> None:
        if self._on_change is not None:
            self._on_change(session_id, owner, comes_or_goes)
