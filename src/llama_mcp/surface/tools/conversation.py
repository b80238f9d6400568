"""The tools that talk to the model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.errors import LlamaMCPError
from llama_mcp.services import Services
from llama_mcp.sessions.records import Message, TurnStatus
from llama_mcp.surface.notifications.progress import ReplyProgress, Stream
from llama_mcp.surface.results.texts import reply_text
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.surface.tools.parameters import (
    ADDITIVE,
    DESTRUCTIVE,
    READ_ONLY,
    ContinuedSession,
    FirstSystemPrompt,
    JsonSchema,
    MaxTokensParameter,
    MessageText,
    MinP,
    SeedParameter,
    SessionId,
    Stop,
    TemperatureParameter,
    Thinking,
    TopKParameter,
    TopP,
    WaitForReply,
)
from llama_mcp.turns.chat_request import ChatRequest, Overflow, Sampling
from llama_mcp.turns.errors import ReplyElsewhereError, TurnFailedError
from llama_mcp.turns.reply import ChatReply
from llama_mcp.turns.reply_building import reply_from_archive
from llama_mcp.turns.tracing import note_turn

if TYPE_CHECKING:
    from llama_mcp.turns.turn import Turn

# Another process writes what it has received about once a second.
ARCHIVE_POLL_SECONDS = 0.5

# The TypeScript SDKs drop progress that they read together with its result (v1 and v2 in 2026: the
# result removes the handler before queued progress is handled).
LAST_PROGRESS_SECONDS = 0.001

ReplyResult = Annotated[CallToolResult, ChatReply]
History = Annotated[
    list[Message] | None,
    Field(description="For a new session: the conversation so far, user and assistant."),
]
OverflowParameter = Annotated[
    Overflow, Field(description="History too long: leave out the oldest turns, or refuse.")
]
StreamParameter = Annotated[
    Stream, Field(description="What progress carries: the text, a status line, nothing.")
]


class ConversationTools:
    """Talking to the model: send, wait, cancel."""

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="Chat with the local model", annotations=ADDITIVE)(self.chat)
        server.tool(title="Wait for a reply", annotations=READ_ONLY)(self.wait_for_reply)
        server.tool(title="Stop a reply", annotations=DESTRUCTIVE)(self.cancel_reply)

    async def chat(
        self,
        ctx: Context[Services],
        message: MessageText,
        session_id: ContinuedSession = "",
        system_prompt: FirstSystemPrompt = "",
        history: History = None,
        temperature: TemperatureParameter = None,
        top_p: TopP = None,
        top_k: TopKParameter = None,
        min_p: MinP = None,
        max_tokens: MaxTokensParameter = None,
        seed: SeedParameter = None,
        stop: Stop = None,
        json_schema: JsonSchema = None,
        thinking: Thinking = None,
        overflow: OverflowParameter = "trim",
        stream: StreamParameter = "chunks",
        wait_seconds: WaitForReply = 50,
    ) -> ReplyResult:
        """Send a message to the local model and get its reply.

        Needs a llama-server (start_llama_server). The conversation is kept under the session_id
        of the result: pass it to go on, also days later. A reply that outlasts wait_seconds comes
        back as "in_progress" and goes on; wait_for_reply gives the rest.
        """
        sampling = Sampling(
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            max_tokens=max_tokens,
            seed=seed,
            stop=tuple(stop or ()),
            json_schema=json_schema,
            thinking=thinking,
        )
        request = ChatRequest(
            message=message,
            session_id=session_id or None,
            system_prompt=system_prompt or None,
            history=history or [],
            sampling=sampling,
            overflow=overflow,
        )
        return await self._take_turn(request, wait_seconds, ReplyProgress(ctx, stream, max_tokens))

    async def wait_for_reply(
        self, ctx: Context[Services], session_id: SessionId, wait_seconds: WaitForReply = 50
    ) -> ReplyResult:
        """Get the reply that chat left in_progress, complete or as far as it is after wait_seconds.

        Progress carries only the text that is new. Without one under way, gives the last reply.
        """
        turn = await _turn_here(self._services(), session_id)
        if turn is None:
            return _reply_result(await _last_reply(self._services(), session_id, wait_seconds))
        progress = ReplyProgress(ctx, "chunks", turn.max_tokens, turn.told_pieces)
        return await _follow(turn, wait_seconds, progress)

    async def cancel_reply(self, session_id: SessionId) -> ReplyResult:
        """Stop the reply that is being generated in a session; what has come of it is kept."""
        turn = await _turn_here(self._services(), session_id)
        if turn is None:
            last = await _last_reply(self._services(), session_id, 0)
            if last.status is TurnStatus.IN_PROGRESS:
                raise ReplyElsewhereError(last.session_id)
            return _reply_result(last)
        await turn.cancel()
        return _reply_result(turn.snapshot())

    async def _take_turn(
        self, request: ChatRequest, wait_seconds: float, progress: ReplyProgress
    ) -> CallToolResult:
        deadline = anyio.current_time() + wait_seconds
        turn = await self._services().in_flight.take_turn(request, wait_seconds)
        try:
            return await _follow(turn, max(0.0, deadline - anyio.current_time()), progress)
        except anyio.get_cancelled_exc_class():
            await self._services().in_flight.withdraw(turn)
            raise


async def _follow(turn: "Turn", seconds: float, progress: ReplyProgress) -> CallToolResult:
    await turn.follow(seconds, progress.report)
    await progress.flush(turn.reply)
    if turn.is_over and progress.sent_pieces > turn.told_pieces:
        await anyio.sleep(LAST_PROGRESS_SECONDS)
    turn.told_pieces = progress.sent_pieces
    if turn.is_over and turn.error is not None:
        raise TurnFailedError(turn.session_id, turn.number, turn.error, turn.reply.text)
    reply = turn.snapshot()
    # What a caller was given stays, even if this process is killed the moment after.
    await turn.save()
    note_turn(reply, turn.reply.model)
    return _reply_result(reply)


async def _turn_here(services: Services, session_id: str) -> "Turn | None":
    """Return the session's last turn when this process began it and still knows it whole."""
    turn = services.in_flight.find(session_id)
    if turn is None or not turn.is_over or not turn.is_saved:
        return turn
    session = await services.archive.session(session_id)
    return turn if session.turns == turn.number else None


async def _last_reply(services: Services, session_id: str, wait_seconds: float) -> ChatReply:
    """Return the archive's last reply; one that another process generates is waited for."""
    last = await services.archive.last_turn(session_id)
    with anyio.move_on_after(wait_seconds):
        while last.status is TurnStatus.IN_PROGRESS:
            await anyio.sleep(ARCHIVE_POLL_SECONDS)
            last = await services.archive.last_turn(session_id)
    if last.error:
        cause = LlamaMCPError(last.error)
        raise TurnFailedError(session_id, last.turn, cause, last.reply)
    return reply_from_archive(session_id, last)


def _reply_result(reply: ChatReply) -> CallToolResult:
    return tool_result(reply_text(reply), reply)
