"""The tools that talk to the model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult
from pydantic import Field

from llama_mcp.services import Services
from llama_mcp.sessions.patience import waiting_at_most
from llama_mcp.sessions.records import Message
from llama_mcp.surface.calling import current_caller, has_client_gone, was_cancelled
from llama_mcp.surface.client_folders import ClientFolders
from llama_mcp.surface.notifications.progress import JobProgress, ReplyProgress, Stream
from llama_mcp.surface.results.discretion import discretion_of
from llama_mcp.surface.results.hints import Offered
from llama_mcp.surface.results.replies import NOTHING, Telling, ToldReply
from llama_mcp.surface.tools.file_parameters import files_of_call
from llama_mcp.surface.tools.files import follow_job
from llama_mcp.surface.tools.links import with_link
from llama_mcp.surface.tools.parameters import (
    DESTRUCTIVE,
    READ_ONLY,
    REPLACING,
    ContinuedSession,
    FilesToRead,
    FirstSystemPrompt,
    JsonSchema,
    MaxTokensParameter,
    MessageText,
    MinP,
    Overwrite,
    SaveReplyTo,
    SeedParameter,
    SessionId,
    Stop,
    TemperatureParameter,
    Thinking,
    TopKParameter,
    TopP,
    TurnModel,
    WaitUntilBack,
)
from llama_mcp.turns.chat_request import ChatRequest, Overflow, Sampling
from llama_mcp.turns.replies.reply import ChatReply
from llama_mcp.turns.tracing import note_turn

if TYPE_CHECKING:
    from llama_mcp.turns.jobs.job import Job
    from llama_mcp.turns.turn import Turn

ReplyResult = Annotated[CallToolResult, ToldReply]
History = Annotated[
    list[Message] | None,
    Field(description="New session: the conversation so far."),
]
OverflowParameter = Annotated[
    Overflow, Field(description="History too long: leave out oldest turns, or refuse.")
]
StreamParameter = Annotated[
    Stream, Field(description="Progress: the text, a status line, nothing.")
]


class ConversationTools:
    """Talking to the model: send, wait, cancel."""

    def __init__(
        self, services: Callable[[], Services], offered: Offered, client_folders: ClientFolders
    ) -> None:
        self._services = services
        self._client_folders = client_folders
        self.telling = Telling(offered)

    def register(self, server: MCPServer[Services]) -> None:
        """Add the tools to the server."""
        server.tool(title="Chat with the local model", annotations=REPLACING)(self.chat)
        server.tool(title="Wait for a reply", annotations=READ_ONLY)(self.wait_for_reply)
        server.tool(title="Stop a reply", annotations=DESTRUCTIVE)(self.cancel_reply)

    async def chat(
        self,
        ctx: Context[Services],
        message: MessageText,
        files: FilesToRead = None,
        save_to: SaveReplyTo = "",
        overwrite: Overwrite = False,
        session_id: ContinuedSession = "",
        model: TurnModel = "",
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
        wait_seconds: WaitUntilBack = None,
    ) -> ReplyResult:
        """Send a message to the local model and get its reply.

        It sees this conversation and its files only, no tools or web. For bounded work:
        summaries, extraction, drafts. Starts the model if need be. Pass the session_id of the
        result to go on, also days later. A reply that outlasts wait_seconds comes back in_progress;
        wait_for_reply gives the rest.
        """
        services = self._services()
        deadline = anyio.current_time() + services.settings.patience(wait_seconds)
        of_call = await files_of_call(
            *(services, self._client_folders, ctx.session, files or [], save_to, deadline),
            overwrite=overwrite,
        )
        request = ChatRequest(
            message=message,
            owner=current_caller().owner,
            limits=current_caller().limits,
            session_id=session_id or None,
            model=model or None,
            system_prompt=system_prompt or None,
            history=history or [],
            sampling=Sampling(
                temperature=temperature,
                top_p=top_p,
                top_k=top_k,
                min_p=min_p,
                max_tokens=max_tokens,
                seed=seed,
                stop=tuple(stop or ()),
                json_schema=json_schema,
                thinking=thinking,
            ),
            overflow=overflow,
            files=of_call.sent,
            file_notes=of_call.notes,
            save_to=of_call.save_to,
            wait_seconds=max(0.0, deadline - anyio.current_time()),
        )
        told = discretion_of(services)
        progress = ReplyProgress(ctx, stream, told=told.text)
        reply = told.reply(await self._take_turn(request, deadline, progress))
        return with_link(self.telling.tell(reply, NOTHING), reply, ctx.protocol_version)

    async def wait_for_reply(
        self, ctx: Context[Services], session_id: SessionId, wait_seconds: WaitUntilBack = None
    ) -> ReplyResult:
        """Get the rest of a reply that is in_progress or waiting.

        Gives what was not told yet, until it is complete or wait_seconds are over. Without one
        under way, gives the last reply.
        """
        in_flight, before = self._services().in_flight, self.telling.so_far
        from llama_mcp.turns.jobs.job import Job  # imported with the turns

        patience = self._services().settings.patience(wait_seconds)
        owner, told = current_caller().owner, discretion_of(self._services())
        turn = await in_flight.latest(session_id, owner=owner)
        if turn is None:
            reply = await in_flight.archived_reply(session_id, patience, owner=owner)
        elif isinstance(turn, Job):
            reply = await follow_job(turn, patience, JobProgress(ctx, told.text))
        else:
            progress = ReplyProgress(ctx, "chunks", turn.following.told_pieces, told.text)
            reply = await _follow(turn, patience, progress)
        reply = told.reply(reply)
        return with_link(self.telling.tell(reply, before), reply, ctx.protocol_version)

    async def cancel_reply(self, session_id: SessionId) -> ReplyResult:
        """Stop the reply that is being generated in a session.

        What has come of it is kept; gives what was not told yet.
        """
        before = self.telling.so_far
        reply = await self._services().in_flight.cancel(session_id, owner=current_caller().owner)
        return self.telling.tell(discretion_of(self._services()).reply(reply), before)

    async def _take_turn(
        self, request: ChatRequest, deadline: float, progress: ReplyProgress
    ) -> ChatReply:
        in_flight = self._services().in_flight
        with waiting_at_most(max(0.0, deadline - anyio.current_time())):
            call = await in_flight.ask(request, progress.tell_wait)
        try:
            owner = request.owner
            turn = call.turn or await in_flight.latest(call.session_id, owner=owner)
            left_seconds = max(0.0, deadline - anyio.current_time())
            if turn is None:
                reply = await in_flight.archived_reply(call.session_id, left_seconds, owner=owner)
            else:
                reply = await _follow(turn, left_seconds, progress)
            if has_client_gone():  # the same call, made again, joins the turn
                return reply
            return await in_flight.answered(call, reply)
        except anyio.get_cancelled_exc_class():
            if was_cancelled():
                await in_flight.withdraw(call)
            raise


async def _follow(turn: "Turn | Job", seconds: float, progress: ReplyProgress) -> ChatReply:
    following = turn.following
    await following.follow(seconds, progress.report)
    await progress.flush(turn.reply)
    if not has_client_gone():
        following.told_pieces = progress.sent_pieces
    try:
        reply = await turn.deliver()
    finally:
        await progress.settle()
    note_turn(reply, turn.reply.model)
    return reply
