"""The result of a turn, as callers see it."""

from typing import Any

from pydantic import BaseModel

from llama_mcp.sessions.records import Receipt, Timing, TurnStatus, Usage


class ContextUse(BaseModel, frozen=True):
    """How full the session's context window is."""

    tokens_used: int | None = None
    limit: int | None = None
    turns_dropped: int = 0


class ChatReply(BaseModel, frozen=True):
    """A reply, complete or the part that has been received."""

    session_id: str
    turn: int
    status: TurnStatus
    reply: str
    reasoning: str | None = None
    parsed: Any = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    timing: Timing = Timing()
    receipt: Receipt = Receipt()
    context: ContextUse = ContextUse()
    notes: list[str] = []
