"""One message and its reply, on the event loop: asked, followed, stopped."""

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.cli.chat.events import (
    Broken,
    Event,
    Failed,
    Instead,
    Over,
    Text,
    Thought,
    Waits,
    Withdrawn,
)
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.services import Services
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.replies.reply_line import waiting_line

if TYPE_CHECKING:
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn

# A terminal shows no more pictures a second.
INTERVAL_SECONDS = 0.03
# How often a reply is looked at that another process receives.
POLL_SECONDS = 0.5


class Exchange:
    """Has a message answered, or waits for a reply that is under way, and tells how it goes."""

    def __init__(self, services: Services, tell: Callable[[Event], None]) -> None:
        """Take what it needs.

        Args:
            services: the rooms.
            tell: is told of each event; it must return at once. The last one is of END.
        """
        self._services = services
        self._tell = tell
        self._turn: Turn | Job | None = None
        self._session_id: str | None = None
        self._scope: anyio.CancelScope | None = None
        self._pieces = self._thoughts = self._characters = 0
        self._line = ""
        self._told_at = -math.inf

    async def ask(self, request: ChatRequest) -> None:
        """Have a message answered."""
        await self._told(partial(self._answer, request))

    async def wait(self, session_id: str) -> None:
        """Follow the reply that is under way in a session, whoever receives it, from its start."""
        await self._told(partial(self._rest, session_id))

    async def stop(self) -> None:
        """Stop the reply and keep what has come; before a turn has begun, nothing is sent."""
        if self._turn is not None:
            await self._turn.cancel()
        elif self._session_id is not None:
            try:
                await self._services.in_flight.cancel(self._session_id, owner=LOCAL_OWNER)
            except LlamaMCPError as error:  # the other process goes on, and so does the waiting
                self._tell_line(error.situation)
        elif self._scope is not None:
            self._scope.cancel()

    async def _told(self, act: Callable[[], Awaitable[ChatReply]]) -> None:
        event: Event = Broken()
        try:
            with anyio.CancelScope() as self._scope:
                event = Over(await act())
            if self._scope.cancelled_caught:
                event = Withdrawn()
        except LlamaMCPError as error:
            event = Failed(error)
        finally:
            self._tell(event)

    async def _answer(self, request: ChatRequest) -> ChatReply:
        in_flight = self._services.in_flight
        call = await in_flight.ask(request, self._tell_wait)
        turn = call.turn or await in_flight.latest(call.session_id, owner=LOCAL_OWNER)
        if turn is None:
            return await in_flight.answered(call, await self._received(call.session_id))
        return await in_flight.answered(call, await self._follow(turn))

    async def _rest(self, session_id: str) -> ChatReply:
        turn = await self._services.in_flight.latest(session_id, owner=LOCAL_OWNER)
        return await (self._received(session_id) if turn is None else self._follow(turn))

    async def _follow(self, turn: "Turn | Job") -> ChatReply:
        self._turn = turn
        with suppress(LlamaMCPError):  # told at its end
            # Whoever sees it here may come back for the rest: it goes on when this process is gone.
            await turn.deliver()
        await turn.following.follow(math.inf, self._report)
        self._flush(turn.reply)
        return await turn.deliver()

    async def _received(self, session_id: str) -> ChatReply:
        """Return the reply that another process receives, once it is over."""
        self._session_id = session_id
        while True:
            reply = await self._services.in_flight.archived_reply(
                session_id, POLL_SECONDS, owner=LOCAL_OWNER
            )
            self._tell_text(reply.reply[self._characters :])
            if reply.is_over:
                return reply

    async def _tell_wait(self, load: ModelLoad) -> None:
        self._tell_line(load.line)

    async def _report(self, reply: PartialReply) -> float:
        early_seconds = self._told_at + INTERVAL_SECONDS - anyio.current_time()
        if early_seconds > 0:
            return early_seconds
        self._told_at = anyio.current_time()
        self._flush(reply)
        return 0.0

    def _flush(self, reply: PartialReply) -> None:
        if not reply.generated:
            self._tell_line(waiting_line(reply))
        thoughts, pieces = len(reply.reasoning_pieces), len(reply.pieces)
        if thought := "".join(reply.reasoning_pieces[self._thoughts : thoughts]):
            self._tell(Thought(thought))
        text = "".join(reply.pieces[self._pieces : pieces])
        if text and self._characters and not any(reply.pieces[: self._pieces]):
            self._tell(Instead(text))
        else:
            self._tell_text(text)
        self._thoughts, self._pieces = thoughts, pieces

    def _tell_text(self, text: str) -> None:
        if text:
            self._characters += len(text)
            self._tell(Text(text))

    def _tell_line(self, line: str) -> None:
        if line != self._line:
            self._line = line
            self._tell(Waits(line))
