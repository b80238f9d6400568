"""A turn whose process has ended, taken over: what another process needs to go on with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from llama_mcp.llama_server.ready_server import LeftReplies, ReadyServer
from llama_mcp.llama_server.reply_stream import ReplyStream
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.begun_turns import BegunTurn, CacheFacts
from llama_mcp.sessions.left_turns import AdoptedTurn
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.replies.saved_reply import reply_of, state_of


class TurnState(BaseModel, frozen=True):
    """What a process knows of its turn besides the reply's texts, as the archive keeps it."""

    reply: dict[str, Any] = {}
    """What replies/saved_reply.py makes."""
    notes: tuple[str, ...] = ()
    cache: CacheFacts | None = None
    cache_mark: int = 0
    first_turn_before: int | None = None
    """The first turn that belonged in the prompt before this turn left out any."""
    is_second_try: bool = False
    """The stream is that of a second try at the reply, of which no text is saved."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a process has left of a turn."""

    server: ReadyServer
    begun: BegunTurn
    request: ChatRequest
    reply: PartialReply
    stream: ReplyStream
    notes: tuple[str, ...]
    first_turn_in_prompt: int
    cache_mark: int
    is_second_try: bool
    is_told: bool
    """Whether somebody was told to come back for the reply, or has come."""
    is_asked_for: bool = False
    """Whether somebody has come for it."""


def state_text(reply: PartialReply, state: TurnState) -> str:
    """Return what the archive keeps of a turn beside its texts."""
    return state.model_copy(update={"reply": state_of(reply)}).model_dump_json()


async def adopt(
    archive: Archive, replies: LeftReplies, session_id: str, *, owner: str, is_asked_for: bool
) -> Left | None:
    """Take over the session's turn when its process has ended; None when there is nothing to take.

    One that goes on where it cannot be read now is left to that.

    Args:
        archive: the sessions.
        replies: what was left.
        session_id: the session.
        owner: whose it must be.
        is_asked_for: whether somebody has come for the reply.

    Raises:
        ArchiveError: the archive cannot be read or written.
    """
    left = await archive.left_turn(session_id, owner=owner)
    if left is None or await replies.is_out_of_reach(left.point):
        return None
    adopted = await archive.adopt_turn(session_id, owner=owner)
    if adopted is None:
        return None
    server, stream = await replies.find(adopted.point)
    is_told = is_asked_for or stream.is_told
    return replace(_left_of(adopted, server, stream), is_told=is_told, is_asked_for=is_asked_for)


def _left_of(adopted: AdoptedTurn, server: ReadyServer, stream: ReplyStream) -> Left:
    archived, begun = adopted.archived, adopted.begun
    state = _state_of(adopted.point.state)
    reply = reply_of(state.reply, archived.reply, archived.reasoning or "")
    reply.model = reply.model or archived.model or server.model
    first_turn = begun.first_turn_in_prompt
    return Left(
        server=server,
        begun=replace(
            begun,
            cache=state.cache or begun.cache,
            first_turn_in_prompt=state.first_turn_before or first_turn,
        ),
        request=ChatRequest(
            message=archived.message,
            owner=begun.owner,
            session_id=begun.session.session_id,
            sampling=_sampling_of(archived.sampling),
            save_to=archived.save_to,
        ),
        reply=reply,
        stream=stream,
        notes=state.notes,
        first_turn_in_prompt=first_turn,
        cache_mark=state.cache_mark,
        is_second_try=state.is_second_try,
        is_told=stream.is_told,
    )


def _state_of(text: str | None) -> TurnState:
    """Return the state; of another version's that cannot be read, the texts go on all the same."""
    try:
        return TurnState.model_validate_json(text or "{}")
    except ValidationError:
        return TurnState()


def _sampling_of(given: Mapping[str, Any]) -> Sampling:
    try:
        return Sampling.model_validate(given)
    except ValidationError:  # ranges may have changed since
        return Sampling()
