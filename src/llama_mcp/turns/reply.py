"""The result of a turn, as callers see it."""

from typing import Any

from pydantic import BaseModel

from llama_mcp.sessions.records import TurnStatus


class ReplyUsage(BaseModel, frozen=True):
    """Tokens of the turn; cached ones are part of the prompt."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


class ReplyTiming(BaseModel, frozen=True):
    """How long the turn took."""

    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens_per_second: float | None = None
    tokens_per_second: float | None = None


class ReplyReceipt(BaseModel, frozen=True):
    """What the turn's time went into, and why it had to read more than half of its prompt again."""

    cached_tokens: int | None = None
    recomputed_tokens: int | None = None
    queue_ms: float | None = None
    prompt_ms: float | None = None
    generation_ms: float | None = None
    cache_miss: str | None = None


class ContextUse(BaseModel, frozen=True):
    """How full the session's context window is."""

    tokens_used: int | None = None
    limit: int | None = None
    turns_dropped: int = 0


class ChatReply(BaseModel, frozen=True):
    """A reply, complete or as far as it has come."""

    session_id: str
    turn: int
    status: TurnStatus
    reply: str
    reasoning: str | None = None
    parsed: Any = None
    finish_reason: str | None = None
    usage: ReplyUsage = ReplyUsage()
    timing: ReplyTiming = ReplyTiming()
    receipt: ReplyReceipt = ReplyReceipt()
    context: ContextUse = ContextUse()
    notes: list[str] = []
