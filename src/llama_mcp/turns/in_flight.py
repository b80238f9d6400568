"""The turns of this process that are under way, and how one is begun, found and ended."""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from llama_mcp.llama_server.ready_server import ReadyServers
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.session_ids import check_session_id
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.json_schema import check_schema, check_taken
from llama_mcp.turns.slot_queue import SlotQueue
from llama_mcp.turns.turn import Turn

# Turns that are over and still known whole, for a caller that comes back late.
KEPT_TURNS = 64

# Told the session_id when a turn begins or ends in it, and whether the session is new.
Announce = Callable[[str, bool], None]


class InFlight:
    """Begins turns as tasks of the process and knows those that are not over."""

    def __init__(
        self,
        servers: ReadyServers,
        archive: Archive,
        tasks: TaskGroup,
        announce: Announce,
        *,
        traces_content: bool,
    ) -> None:
        self._servers = servers
        self._archive = archive
        self._tasks = tasks
        self._turns: dict[str, Turn] = {}
        self._queue = SlotQueue()
        self._traces_content = traces_content
        # Set when the process ends: a turn that is broken off then was not cancelled by anybody.
        self.is_ending = False
        self._announce = announce

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

    def find(self, session_id: str) -> Turn | None:
        """Return the session's turn that is under way here, or was of late; None for no such.

        Raises:
            SessionNotFoundError: that is no session_id.
        """
        return self._turns.get(check_session_id(session_id))

    async def take_turn(self, request: ChatRequest, wait_seconds: float) -> Turn:
        """Begin a turn: check it, wait for a model that loads, archive the message, start it.

        Raises:
            LlamaMCPError: one of its kinds; nothing was archived then.
        """
        request.check()
        if request.sampling.json_schema is not None:
            check_schema(request.sampling.json_schema)
        server = await self._servers.ready_server(wait_seconds)
        if request.sampling.json_schema is not None:
            await check_taken(server, request.sampling)
        if request.session_id is not None and (last := self.find(request.session_id)):
            await last.wait_if_cancelled()
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
            notes = [*server.notes, *([notice] if notice else [])]
            turn = Turn(
                begun,
                request,
                server,
                self._archive,
                self._queue,
                notes,
                traces_content=self._traces_content,
            )
            self._turns.pop(turn.session_id, None)  # the newest goes to the end
            self._turns[turn.session_id] = turn
            self._tasks.start_soon(self._run, turn, request.session_id is None)
        return turn

    def _forget_old_ones(self) -> None:
        """Drop the oldest turns that are over; one that could not be saved stays."""
        over = [turn for turn in self._turns.values() if turn.is_over and turn.is_saved]
        for turn in over[:-KEPT_TURNS]:
            del self._turns[turn.session_id]

    async def withdraw(self, turn: Turn) -> None:
        """Cancel a turn whose caller took its request back; the end of the process is no such."""
        if not self.is_ending:
            with anyio.CancelScope(shield=True):
                await turn.cancel()

    async def _run(self, turn: Turn, is_new_session: bool) -> None:
        self._announce(turn.session_id, is_new_session)
        try:
            await turn.run()
        finally:
            self._forget_old_ones()
        self._announce(turn.session_id, False)
