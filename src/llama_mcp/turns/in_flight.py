"""The turns of this process that are under way: how one begins, is found, and ends."""

from collections.abc import Sequence
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup

from llama_mcp.llama_server.ready_server import LeftReplies, ReadyServer, ReadyServers, TellWait
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.errors import ArchiveError
from llama_mcp.sessions.left_turns import CutOffCall
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.admission import Admission
from llama_mcp.turns.archived_reply import archived_reply
from llama_mcp.turns.calls import JOINED, Call, Calls, digest_of
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.checked_server import server_for_turn
from llama_mcp.turns.errors import ReplyElsewhereError, new_session_offered
from llama_mcp.turns.going_on.adoption import Left, adopt
from llama_mcp.turns.going_on.reopening import Reopened, reopen
from llama_mcp.turns.jobs.job import Job
from llama_mcp.turns.json_schema import with_schema_read
from llama_mcp.turns.known_prompts import KnownPrompts
from llama_mcp.turns.own_turns import OwnTurns
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.slot_queue import SlotQueues
from llama_mcp.turns.turn import Turn
from llama_mcp.turns.turn_parts import TurnParts

NOTHING_STOPPED = "The reply had ended before this call, which has stopped nothing."
# Another process looks about once a second whether its reply should stop.
CANCEL_SECONDS = 10.0
# How long a caller waits for what came of a reply while nobody read it.
CATCH_UP_SECONDS = 2.0
CATCH_UP_POLL_SECONDS = 0.01


class InFlight:
    """Begins turns as tasks of the process and knows those that are not over."""

    def __init__(
        self,
        servers: ReadyServers,
        left: LeftReplies,
        archive: Archive,
        tasks: TaskGroup,
        *,
        traces_content: bool,
    ) -> None:
        self._servers = servers
        self._archive = archive
        self._tasks = tasks
        self._own = OwnTurns(tasks)
        self.admission = Admission(archive, self.open_turns)
        self.left = left
        self._calls = Calls()
        self.queues = SlotQueues()
        self.known_prompts = KnownPrompts()
        self._traces_content = traces_content
        # Set during shutdown: a turn that breaks off then was not cancelled by its caller.
        self.is_shutting_down = False

    def open_turns(self) -> list[Turn | Job]:
        """Return the turns of this process that are not over, oldest first."""
        return self._own.underway()

    @property
    def waiting(self) -> int:
        """How many turns of this process wait for a slot, or for their model."""
        loading = [turn for turn in self.open_turns() if turn.reply.load]
        return self.queues.waiting + len(loading)

    async def ask(self, request: ChatRequest, tell_wait: TellWait | None = None) -> Call:
        """Join the turn of the same call that was cut off, else begin one; raises as take_turn.

        Args:
            request: What is asked.
            tell_wait: Is told of a wait for room for its model.
        """
        digest = digest_of(request)
        await self._calls.settle(digest)
        if joined := self._calls.join(digest):
            return joined
        cut_off = await self._archive.cut_off_call(digest, owner=request.owner)
        if cut_off is None or cut_off.is_cancelled:
            turn = await self.take_turn(request, digest, cut_off, tell_wait)
            before = (cut_off.session_id, cut_off.turn) if cut_off else None
            is_same = (turn.session_id, turn.number) == before
            return self._calls.note(digest, turn, 2 if is_same else 1)
        left = await self.latest(cut_off.session_id, owner=request.owner)
        if isinstance(left, Turn):
            return self._calls.note(digest, left, 2)
        return Call(cut_off.session_id, request.owner, None)

    async def answered(self, call: Call, reply: ChatReply) -> ChatReply:
        """Return the reply as the call gives it; from now on its caller has had a result."""
        if call.asked is not None and call.is_latest:
            call.asked.answered_at = anyio.current_time()
        may_be_known_again = reply.status in (TurnStatus.IN_PROGRESS, TurnStatus.CANCELLED)
        if call.is_latest and (call.is_joined or may_be_known_again):
            with suppress(ArchiveError):
                await self._archive.note_told(reply.session_id, reply.turn)
        notes = [JOINED, *reply.notes] if call.is_joined else reply.notes
        return reply.model_copy(update={"notes": notes})

    async def take_turn(
        self,
        request: ChatRequest,
        digest: str | None = None,
        cancelled: CutOffCall | None = None,
        tell_wait: TellWait | None = None,
    ) -> Turn:
        """Begin a turn: check it, see to a llama-server, archive the message, start it.

        A model that loads is waited for by the turn, when its message is in the archive. The
        session is checked first, so that a turn that cannot begin starts no llama-server.

        Args:
            request: What is asked.
            digest: What the same call is known by.
            cancelled: The same call before, which its client cancelled; it is gone on with if it
                can be.
            tell_wait: As for `ask`.

        Raises:
            LlamaMCPError: One of its kinds; nothing was archived then.
        """
        request.check()
        request, request_notes = await with_schema_read(request)
        async with self.admission.beginning(request.owner, request.limits):
            if request.session_id is not None:
                with new_session_offered():
                    await self._check_session(request.session_id, request.owner)
            to_know = self._servers, self._archive, tell_wait
            server, model_notes = await server_for_turn(request, *to_know)
            request_notes = [*request_notes, *request.file_notes, *model_notes]
            if cancelled is not None:
                again = await reopen(self._archive, cancelled, request, server)
                if again is not None:
                    notes = [*server.notes, *request_notes, *again.notes]
                    return self._start(again.begun, request, server, notes, reopened=again)
            return await self._begin(request, server, request_notes, digest)

    async def latest(self, session_id: str, *, owner: str) -> Turn | Job | None:
        """Return the session's last turn or job if this process began and still knows it whole.

        Raises:
            SessionNotFoundError: The owner has no such session.
        """
        session_id = await self._archive.find_id(session_id, owner=owner)
        turn = self._own.last_of(session_id, owner)
        if turn is None or (turn.is_over and turn.is_saved):
            turn = await self.take_over(session_id, owner=owner) or turn
        if turn is None or not turn.is_over or not turn.is_saved:
            return turn
        # Another process may have gone on with the session, or with a turn that was cancelled here.
        known = turn.snapshot()
        last = await self._archive.last_turn(session_id, owner=owner)
        is_last = (turn.number, known.status, known.reply) == (last.turn, last.status, last.reply)
        return turn if is_last else None

    async def archived_reply(
        self, session_id: str, wait_seconds: float, *, owner: str
    ) -> ChatReply:
        """Return the session's last reply, whoever receives it: archived_reply.py."""
        return await archived_reply(self._archive, session_id, wait_seconds, owner=owner)

    async def cancel(self, session_id: str, *, owner: str) -> ChatReply:
        """Stop the reply that is being generated in the session, and return what came of it.

        Raises:
            ReplyElsewhereError: Another process generates it, and does not stop.
            NoReplyUnderwayError: The session has no turn.
            TurnFailedError: The last turn broke off before it could be stopped.
        """
        turn = await self.latest(session_id, owner=owner)
        if turn is not None and not turn.is_over:
            await turn.cancel()
            return await turn.deliver()
        over = turn and await turn.deliver()
        reply = over or await self.archived_reply(session_id, 0, owner=owner)
        if reply.status is TurnStatus.IN_PROGRESS:
            point = await self._archive.ask_cancel(reply.session_id, reply.turn, owner=owner)
            if point is not None:
                # Its slot is free at once, however long the other process takes to look.
                await self.left.stop(point)
            reply = await self.archived_reply(reply.session_id, CANCEL_SECONDS, owner=owner)
            if reply.status is TurnStatus.IN_PROGRESS:
                raise ReplyElsewhereError(reply.session_id, CANCEL_SECONDS)
            return reply
        return reply.model_copy(update={"notes": [*reply.notes, NOTHING_STOPPED]})

    async def take_over(
        self, session_id: str, *, owner: str, is_asked_for: bool = True
    ) -> Turn | None:
        """Read on with the session's reply if the process that received it has ended.

        Returns:
            The turn, once it has what had come before; None when nothing was left of one.
        """
        # Shielded: what was taken over must be read.
        with anyio.CancelScope(shield=True):
            left = await adopt(
                self._archive, self.left, session_id, owner=owner, is_asked_for=is_asked_for
            )
            if left is None:
                return None
            turn = self._start(left.begun, left.request, left.server, left.notes, left)
        with anyio.move_on_after(CATCH_UP_SECONDS):
            while not (turn.is_over or turn.is_caught_up):
                await anyio.sleep(CATCH_UP_POLL_SECONDS)
        await turn.save()
        return turn

    async def take_finished(self) -> None:
        """Take into the archive what has ended of the replies whose processes have."""
        for left in await self._archive.left_turns():
            point = left.point
            is_open = await self.left.is_going_on(point) or await self.left.can_be_sent(
                point, left.age_seconds
            )
            if not is_open:
                await self.take_over(left.session_id, owner=left.owner, is_asked_for=False)
        await self.left.clear(await self._archive.stream_ids())

    async def withdraw(self, call: Call) -> None:
        """Cancel the call's turn because its caller cancelled the request.

        Not during shutdown, nor when another call has joined the turn since.
        """
        turn = call.turn or self._own.last_of(call.session_id, call.owner)
        if turn is not None and call.is_latest and not self.is_shutting_down:
            with anyio.CancelScope(shield=True):
                await turn.cancel()

    async def _check_session(self, session_id: str, owner: str) -> None:
        session_id = await self._archive.find_id(session_id, owner=owner)
        taken_over = await self.take_over(session_id, owner=owner)
        if last := taken_over or self._own.last_of(session_id, owner):
            await last.wait_if_cancelled()
        await self._archive.check_idle(session_id, owner=owner)

    async def _begin(
        self,
        request: ChatRequest,
        server: ReadyServer,
        request_notes: Sequence[str],
        digest: str | None,
    ) -> Turn:
        self._tasks.start_soon(server.open_ahead)  # while the archive writes
        # Once the message is in the archive the turn must start, or it would seem under way.
        with anyio.CancelScope(shield=True), new_session_offered():
            begun = await self._archive.begin_turn(
                request.session_id,
                request.message,
                owner=request.owner,
                system_prompt=request.system_prompt,
                history=request.history,
                model=server.model,
                run=server.serving_id,
                sampling=request.sampling.given(),
                call=digest,
                stream_id=await server.new_stream_id(),
                attached=request.files,
                save_to=request.save_to,
            )
        notice = self._archive.notice()
        notes = [*server.notes, *request_notes, *([notice] if notice else [])]
        return self._start(begun, request, server, notes)

    def _start(
        self,
        begun: BegunTurn,
        request: ChatRequest,
        server: ReadyServer,
        notes: Sequence[str],
        left: Left | None = None,
        reopened: Reopened | None = None,
    ) -> Turn:
        parts = TurnParts(
            begun=begun,
            request=request,
            server=server,
            archive=self._archive,
            queues=self.queues,
            traces_content=self._traces_content,
            servers=self._servers,
            known_prompts=self.known_prompts,
            left=left,
            reopened=reopened,
        )
        turn = Turn(parts, notes)
        self.start(turn)
        return turn

    def start(self, turn: Turn | Job) -> None:
        """Have a turn that is in the archive generated, and know it until it is over."""
        self._own.start(turn)
