"""The tools that talk to the model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.services import Services
from llama_mcp.sessions.records import Message
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
from llama_mcp.turns.reply import ChatReply
from llama_mcp.turns.tracing import note_turn

if TYPE_CHECKING:
    from llama_mcp.turns.turn import Turn

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
        in_flight = self._services().in_flight
        turn = await in_flight.latest(session_id)
        if turn is None:
            return _reply_result(await in_flight.archived_reply(session_id, wait_seconds))
        progress = ReplyProgress(ctx, "chunks", turn.max_tokens, turn.following.told_pieces)
        return await _follow(turn, wait_seconds, progress)

    async def cancel_reply(self, session_id: SessionId) -> ReplyResult:
        """Stop the reply that is being generated in a session; what has come of it is kept."""
        return _reply_result(await self._services().in_flight.cancel(session_id))

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
    following = turn.following
    await following.follow(seconds, progress.report)
    await progress.flush(turn.reply)
    if turn.is_over and progress.sent_pieces > following.told_pieces:
        await anyio.sleep(LAST_PROGRESS_SECONDS)
    following.told_pieces = progress.sent_pieces
    reply = await turn.deliver()
    note_turn(reply, turn.reply.model)
    return _reply_result(reply)


def _reply_result(reply: ChatReply) -> CallToolResult:
    return tool_result(reply_text(reply), reply)
