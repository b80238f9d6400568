"""The turns of this process that are under way: how one begins, is found, and ends.

It also answers for turns of other processes, from what the archive has of them.
"""

import anyio
from anyio.abc import TaskGroup

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.sessions.session_ids import check_session_id
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.errors import ReplyElsewhereError, TurnFailedError
from llama_mcp.turns.json_schema import check_schema, check_taken
from llama_mcp.turns.reply import ChatReply
from llama_mcp.turns.reply_building import reply_from_archive
from llama_mcp.turns.slot_queue import SlotQueue
from llama_mcp.turns.turn import Turn

# Turns that are over and still known whole, for a caller that comes back late.
KEPT_TURNS = 64
# Another process writes what it has received about once a second.
ARCHIVE_POLL_SECONDS = 0.5


class InFlight:
    """Begins turns as tasks of the process and knows those that are not over."""

    def __init__(
        self,
        servers: ReadyServers,
        archive: Archive,
        tasks: TaskGroup,
        *,
        traces_content: bool,
    ) -> None:
        self._servers = servers
        self._archive = archive
        self._tasks = tasks
        self._turns: dict[str, Turn] = {}
        self._queue = SlotQueue()
        self._traces_content = traces_content
        # Set during shutdown: a turn that breaks off then was not cancelled by its caller.
        self.is_shutting_down = False

    def open_turns(self) -> list[Turn]:
        """Return the turns of this process that are not over, oldest first."""
        return [turn for turn in self._turns.values() if not turn.is_over]

    def count_open(self) -> int:
        """Return how many turns of this process are not over."""
        return len(self.open_turns())

    @property
    def waiting(self) -> int:
        """How many turns of this process wait for a slot."""
        return self._queue.waiting

    async def take_turn(self, request: ChatRequest, wait_seconds: float) -> Turn:
        """Begin a turn: check it, wait for a model that loads, archive the message, start it.

        The session is checked first, so that a turn that cannot begin starts no llama-server.

        Raises:
            LlamaMCPError: One of its kinds; nothing was archived then.
        """
        request.check()
        if request.sampling.json_schema is not None:
            await check_schema(request.sampling.json_schema)
        if request.session_id is not None:
            await self._check_session(request.session_id)
        server = await self._servers.ready_server(wait_seconds)
        if request.sampling.json_schema is not None:
            await check_taken(server, request.sampling)
        return await self._begin(request, server)

    async def latest(self, session_id: str) -> Turn | None:
        """Return the session's last turn if this process began it and still knows it whole.

        For other turns there is archived_reply.

        Raises:
            SessionNotFoundError: There is no such session.
        """
        session_id = check_session_id(session_id)
        turn = self._turns.get(session_id)
        if turn is None or not turn.is_over or not turn.is_saved:
            return turn
        session = await self._archive.session(session_id)
        return turn if session.turns == turn.number else None

    async def archived_reply(self, session_id: str, wait_seconds: float) -> ChatReply:
        """Return the session's last reply; one that another process generates is waited for.

        Args:
            session_id: The session.
            wait_seconds: How long to wait for the end of the reply.

        Raises:
            NoReplyUnderwayError: The session has no turn.
            TurnFailedError: The last turn broke off.
        """
        session_id = check_session_id(session_id)
        last = await self._archive.last_turn(session_id)
        with anyio.move_on_after(wait_seconds):
            while last.status is TurnStatus.IN_PROGRESS:
                await anyio.sleep(ARCHIVE_POLL_SECONDS)
                last = await self._archive.last_turn(session_id)
        if last.error:
            raise TurnFailedError(session_id, last.turn, LlamaMCPError(last.error), last.reply)
        return reply_from_archive(session_id, last)

    async def cancel(self, session_id: str) -> ChatReply:
        """Stop the reply that is being generated in the session, and return what came of it.

        A reply that is over already is returned as it is.

        Raises:
            ReplyElsewhereError: Another process generates it.
            NoReplyUnderwayError: The session has no turn.
            TurnFailedError: The last turn, which is over, broke off.
        """
        turn = await self.latest(session_id)
        if turn is not None:
            await turn.cancel()
            return turn.snapshot()
        reply = await self.archived_reply(session_id, wait_seconds=0)
        if reply.status is TurnStatus.IN_PROGRESS:
            raise ReplyElsewhereError(reply.session_id)
        return reply

    async def withdraw(self, turn: Turn) -> None:
        """Cancel the turn because its caller cancelled the request; not during shutdown."""
        if not self.is_shutting_down:
            with anyio.CancelScope(shield=True):
                await turn.cancel()

    async def _check_session(self, session_id: str) -> None:
        session_id = check_session_id(session_id)
        if last := self._turns.get(session_id):
            await last.wait_if_cancelled()
        await self._archive.check_idle(session_id)

    async def _begin(self, request: ChatRequest, server: ReadyServer) -> Turn:
        # Once the message is in the archive the turn must start, or it would seem under way.
        with anyio.CancelScope(shield=True):
            begun = await self._archive.begin_turn(
                request.session_id,
                request.message,
                system_prompt=request.system_prompt,
                history=request.history,
                model=server.model,
                run=server.serving_id,
                sampling=request.sampling.given(),
            )
        notice = self._archive.notice()
        turn = Turn(
            begun,
            request,
            server,
            self._archive,
            self._queue,
            [*server.notes, *([notice] if notice else [])],
            traces_content=self._traces_content,
        )
        self._turns.pop(turn.session_id, None)  # the newest goes to the end
        self._turns[turn.session_id] = turn
        self._tasks.start_soon(self._run, turn)
        return turn

    async def _run(self, turn: Turn) -> None:
        try:
            await turn.run()
        finally:
            self._forget_old_ones()

    def _forget_old_ones(self) -> None:
        """Drop the oldest turns that are over; one that could not be saved stays."""
        over = [turn for turn in self._turns.values() if turn.is_over and turn.is_saved]
        for turn in over[:-KEPT_TURNS]:
            del self._turns[turn.session_id]
