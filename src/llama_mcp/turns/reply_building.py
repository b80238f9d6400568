"""Builds the ChatReply of a turn: from what was received of it, or from the archive.

The notes say in words what the caller should know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llama_mcp.sessions.records import ArchivedTurn, TurnStatus, Usage
from llama_mcp.turns.json_schema import ParsedReply
from llama_mcp.turns.partial_reply import PartialReply
from llama_mcp.turns.reply import ChatReply, ContextUse

_SLOW_TOKENS_PER_SECOND = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """What is known of a turn besides its text."""

    session_id: str
    turn: int
    status: TurnStatus
    parsed: ParsedReply
    context_limit: int | None
    n_gpu_layers: int | None
    turns_dropped: int
    cache_miss: str | None
    """Why more than half of the prompt was read again, if it was."""
    notes: Sequence[str]


def reply_from(partial: PartialReply, facts: TurnFacts) -> ChatReply:
    """Return the reply as callers see it."""
    usage = partial.usage()
    used = _tokens_used(usage)
    is_complete = facts.status is TurnStatus.COMPLETE
    notes = [*facts.notes, *facts.parsed.notes]
    if facts.turns_dropped:
        notes.append(
            f"The {facts.turns_dropped} oldest turn(s) no longer fit the context window and were "
            "left out of the prompt; the archive still has them."
        )
    if is_complete:
        notes += _end_notes(partial, facts, used)
    return ChatReply(
        session_id=facts.session_id,
        turn=facts.turn,
        status=facts.status,
        reply=partial.text,
        reasoning=partial.reasoning or None,
        parsed=facts.parsed.data,
        finish_reason=partial.finish_reason,
        usage=usage,
        timing=partial.timing(),
        receipt=partial.receipt(facts.cache_miss),
        context=ContextUse(
            tokens_used=used, limit=facts.context_limit, turns_dropped=facts.turns_dropped
        ),
        notes=notes,
    )


def reply_from_archive(session_id: str, turn: ArchivedTurn) -> ChatReply:
    """Return an archived turn as the reply that its caller saw."""
    return ChatReply(
        session_id=session_id,
        turn=turn.turn,
        status=turn.status,
        reply=turn.reply,
        reasoning=turn.reasoning,
        finish_reason=turn.finish_reason,
        usage=turn.usage,
        timing=turn.timing,
        receipt=turn.receipt,
        context=ContextUse(tokens_used=turn.context_tokens),
        notes=list(turn.notes),
    )


def _tokens_used(usage: Usage) -> int | None:
    if usage.prompt_tokens is None:
        return None
    return usage.prompt_tokens + (usage.completion_tokens or 0)


def _end_notes(partial: PartialReply, facts: TurnFacts, used: int | None) -> list[str]:
    notes = []
    if partial.finish_reason == "length":
        if facts.context_limit and used and used >= facts.context_limit:
            notes.append(
                f"The reply was cut off: the context window of {facts.context_limit} tokens is "
                "full. Begin a new session, or start llama-server with a larger ctx_size."
            )
        else:
            notes.append(
                "The reply was cut off at the longest length that was allowed. Ask the model to "
                "go on, or pass a larger max_tokens."
            )
    if not partial.text.strip():
        notes.append(_why_empty(partial))
    rate = partial.timing().tokens_per_second
    if rate is not None and (advice := advise_slow(rate, facts.n_gpu_layers)):
        notes.append(advice)
    return notes


def _why_empty(partial: PartialReply) -> str:
    if partial.reasoning_pieces:
        return (
            "The reply is empty: all tokens went into reasoning. Pass a larger max_tokens, or "
            "thinking=false."
        )
    return (
        "The reply is empty: the model ended its turn at once. Rephrase the message, or check that "
        "the model is made for chat."
    )


def advise_slow(tokens_per_second: float, n_gpu_layers: int | None) -> str | None:
    """Say what makes slow replies quicker, or None when they are not slow.

    Args:
        tokens_per_second: How fast the reply was generated.
        n_gpu_layers: As launched.
    """
    if tokens_per_second >= _SLOW_TOKENS_PER_SECOND:
        return None
    gpu = "" if n_gpu_layers else ", n_gpu_layers=-1 if there is a GPU"
    return (
        f"Slow: {tokens_per_second:.1f} tokens/s. A smaller model or quantisation{gpu}, or a "
        "smaller max_tokens, helps."
    )
