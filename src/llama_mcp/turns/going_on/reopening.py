"""A turn that its client has cancelled, gone on with because the same call is made again."""

from dataclasses import dataclass, replace

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.left_turns import CutOffCall
from llama_mcp.sessions.records import ArchivedTurn
from llama_mcp.turns.chat_request import ChatRequest
from llama_mcp.turns.going_on.continuation import prompt_for_rest
from llama_mcp.turns.prompt import Prompt, fit_prompt
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.wording import counted


@dataclass(frozen=True, slots=True)
class Reopened:
    """A cancelled turn that is under way once more."""

    begun: BegunTurn
    reply: PartialReply
    rest: Prompt | None = None
    """What asks for the rest of its reply; None when nothing of it had come."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller should know of it."""
        if self.rest is None:
            return ()
        after = counted(len(self.reply.text), "character")
        return (f"The reply goes on where it was cut off, after {after}.",)


async def reopen(
    archive: Archive, cancelled: CutOffCall, request: ChatRequest, server: ReadyServer
) -> Reopened | None:
    """Have a cancelled turn under way once more, with all that had come of its reply.

    Once it is, nothing waits any more: the turn must start, or it would only seem under way.

    Args:
        archive: The sessions.
        cancelled: The call that began the turn.
        request: The same call, made again.
        server: The llama-server that goes on with it.

    Returns:
        The turn; None when what had come cannot be gone on with, another process does so, or the
        session has been deleted or gone on since.

    Raises:
        ArchiveError: The archive cannot be read or written.
    """
    try:
        begun, archived = await archive.begun_again(cancelled.session_id)
    except SessionNotFoundError:
        return None
    if begun.turn != cancelled.turn:
        return None
    reply, rest = _reply_of(archived, server), None
    if archived.reply or archived.reasoning:
        rest = await _rest_of(reply, archived, begun, request, server)
        if rest is None:
            return None
        reply.go_on()
    begun = replace(begun, stream_id=await server.new_stream_id())
    with anyio.CancelScope(shield=True):
        is_open = await archive.reopen_turn(begun, server.serving_id)
    return Reopened(begun, reply, rest) if is_open else None


def _reply_of(archived: ArchivedTurn, server: ReadyServer) -> PartialReply:
    usage = archived.usage
    return PartialReply(
        load=server.load,
        model=server.model,
        pieces=[archived.reply] if archived.reply else [],
        reasoning_pieces=[archived.reasoning] if archived.reasoning else [],
        prompt_total=usage.prompt_tokens,
        prompt_cached=usage.cached_tokens,
        generated=usage.completion_tokens or 0,
    )


async def _rest_of(
    reply: PartialReply,
    archived: ArchivedTurn,
    begun: BegunTurn,
    request: ChatRequest,
    server: ReadyServer,
) -> Prompt | None:
    if server.load is not None or archived.model != server.model:
        return None
    try:
        prompt = await fit_prompt(begun, request, server)
        return await prompt_for_rest(prompt, reply, server)
    except (LlamaMCPError, TimeoutError):
        return None  # a new turn says what is wrong
